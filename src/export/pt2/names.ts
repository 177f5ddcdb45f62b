/** Names of values in the file: unique Python identifiers. */
import { ExportError } from '../../errors.js';
import type { Graph, GraphNode } from '../graph.js';

/** An input of the program: the images, or a tensor stored with it. */
export interface ProgramInput {
  readonly name: string;
  /** What it is bound to. */
  readonly spec: object;
}

const order = ['parameter', 'buffer', 'constant'] as const;
const prefixes = { parameter: 'p_', buffer: 'b_', constant: 'c_' };
const keywords =
  /^(and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|None|True|False)$/;

export class Names {
  /** Parameters, buffers, constants, then the images. */
  readonly inputs: readonly ProgramInput[];
  /** Unused tensors in a list of results, each with the name of a used one in the same list. */
  readonly unusedItems = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();

  constructor(graph: Graph) {
    const weights = [...graph.weights].sort((a, b) => order.indexOf(a[1].kind) - order.indexOf(b[1].kind));
    for (const [name] of weights) checkPath(name);
    const inputs = weights.map(([name, { kind }]): ProgramInput => {
      const arg = { name: this.#add(name, prefixes[kind] + name) };
      if (kind === 'parameter') return { name: arg.name, spec: { parameter: { arg, parameter_name: name } } };
      if (kind === 'buffer') return { name: arg.name, spec: { buffer: { arg, buffer_name: name, persistent: true } } };
      return { name: arg.name, spec: { tensor_constant: { arg, tensor_constant_name: name } } };
    });
    for (const input of graph.inputs) {
      const name = this.#add(input, input);
      inputs.push({ name, spec: { user_input: { arg: { as_tensor: { name } } } } });
    }
    this.inputs = inputs;
    for (const { outputs } of graph.nodes) for (const name of outputs.flat()) if (name !== null) this.#add(name, name);
  }

  readonly of = (name: string): string => {
    const found = this.#names.get(name);
    if (found === undefined) throw new Error(`'${name}' is used before it is defined`);
    return found;
  };

  /** Returns a new name for something that is not a value of the graph. */
  fresh(wish: string): string {
    const plain = wish.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
    let name = keywords.test(plain) ? `${plain}_` : plain;
    for (let i = 1; this.#taken.has(name); i++) name = `${plain}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** Returns a name for an unused tensor in the list of results `i`. */
  unused({ op, outputs }: GraphNode, i: number, item: number): string {
    const name = this.fresh(`${op.split('::')[1]}_unused_${item}`);
    const list = outputs[i] as readonly (string | null)[];
    this.unusedItems.set(name, list.find((sibling) => sibling !== null) ?? '');
    return name;
  }

  #add(name: string, wish: string): string {
    const made = this.fresh(wish);
    this.#names.set(name, made);
    return made;
  }
}

/** Checks a path such as layer1.0.conv1, because Python generates code from it. */
function checkPath(name: string): void {
  const part = name.split('.').find((part) => keywords.test(part) || /[^\w-]/.test(part));
  if (part !== undefined)
    throw new ExportError(
      `The tensor ${name} cannot be written as .pt2: Python takes no '${part}' as the name of a property.\nRename that property of the model.`,
    );
}
