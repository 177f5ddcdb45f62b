/**
 * Makes the batch size of a graph dynamic. A trace holds numbers that the model computed from the batch size in
 * JavaScript, as in `x.reshape([x.shape[0], -1])`; comparing traces of two batch sizes reveals them.
 */
import { ConfigError } from '../errors.js';
import { call, type Dim, type Graph, type GraphNode, int, type Operand, placeOf, value } from './graph.js';

type Batches = readonly [number, number];

/** Returns the first of two traces of a model, with numbers that depend on the batch size computed from it. */
export function withFreeBatch(first: Graph, second: Graph, batches: Batches): Graph {
  const sizes = new Sizes(batches);
  const unlike = first.nodes.findIndex((node, i) => !isSameCall(node, second.nodes[i]));
  if (unlike >= 0 || first.nodes.length !== second.nodes.length) {
    const node = (first.nodes[unlike] ?? second.nodes[first.nodes.length]) as GraphNode;
    throw new ConfigError(
      `The model runs other operators for ${batches[1]} images than for ${batches[0]}, from ${node.op}${placeOf(node)} on.\nAn exported network runs the same ones for any number: make its forward independent of it.`,
    );
  }
  const nodes = first.nodes.map((node, i) => {
    const other = second.nodes[i] as GraphNode;
    const inputs = node.inputs.map(({ name, value }, k) => ({
      name,
      value: sizes.joined(value, other.inputs[k]?.value as Operand, node),
    }));
    return { ...node, inputs };
  });
  checkConstants(first, second);
  const values = new Map(
    [...first.values].map(([name, info]) => {
      const other = second.values.get(name)?.shape ?? [];
      const shape = info.shape.map((size, i) => freeDim(size, other[i] as Dim, batches));
      const multiples = multiplesOf(info.shape, other, batches);
      return [name, { ...info, shape, ...(multiples.length > 0 && { multiples: new Map(multiples) }) }];
    }),
  );
  return { ...first, values, nodes: [...sizes.nodes, ...nodes] };
}

function isSameCall(a: GraphNode, b: GraphNode | undefined): boolean {
  if (!b || a.op !== b.op || a.overload !== b.overload) return false;
  const kinds = (node: GraphNode) => node.inputs.map(({ value }) => value.kind).join();
  return kinds(a) === kinds(b) && JSON.stringify(a.outputs) === JSON.stringify(b.outputs);
}

function checkConstants(first: Graph, second: Graph): void {
  for (const [name, { tensor, kind }] of first.weights) {
    if (kind !== 'constant' || second.weights.get(name)?.tensor.shape.join() === tensor.shape.join()) continue;
    throw new ConfigError(
      `The model makes a tensor [${tensor.shape}] outside of PyTorch's operators whose size depends on the number of images.\nMake it with torch.zeros, torch.full or expand.`,
    );
  }
}

function freeDim(size: Dim, other: Dim, [first, second]: Batches): Dim {
  if (size === other) return size;
  return size === first && other === second ? 'batch' : null;
}

function multiplesOf(shape: readonly Dim[], others: readonly Dim[], [first, second]: Batches): [number, number][] {
  return shape.flatMap((size, i): [number, number][] => {
    const other = others[i];
    if (typeof size !== 'number' || typeof other !== 'number' || size === other) return [];
    return size / first === other / second && size !== first ? [[i, size / first]] : [];
  });
}

/** Numbers that depend on the number of images n, as nodes that compute a * n + b. */
class Sizes {
  readonly nodes: GraphNode[] = [];
  readonly #names = new Map<string, string>();

  constructor(private readonly batches: Batches) {}

  /** An argument that is `first` for one batch and `second` for the other. */
  joined(first: Operand, second: Operand, node: GraphNode): Operand {
    const [a, b] = [first.value, second.value];
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length && /^(ints|names)$/.test(first.kind)) {
      const items = a.map((item, i) => (item === b[i] ? item : this.number(item, b[i], node)));
      return items.some((item) => typeof item === 'string') ? { kind: 'names', value: items as string[] } : first;
    }
    if (JSON.stringify(a) === JSON.stringify(b)) return first;
    if (first.kind === 'int') return { kind: 'number', value: this.number(a, b, node) };
    throw this.refused(node, a, b);
  }

  private number(first: unknown, second: unknown, node: GraphNode): string {
    if (typeof first !== 'number' || typeof second !== 'number') throw this.refused(node, first, second);
    const factor = (second - first) / (this.batches[1] - this.batches[0]);
    const offset = first - factor * this.batches[0];
    if (!Number.isInteger(factor)) throw this.refused(node, first, second);
    const count = this.made('batch_size', 'aten::size', { self: value('images'), dim: int(0) });
    const number = (name: string): Operand => ({ kind: 'number', value: name });
    const scaled =
      factor === 1 ? count : this.made(`batch_times_${factor}`, 'aten::mul', { a: number(count), b: int(factor) });
    if (offset === 0) return scaled;
    return this.made(`${scaled}_plus_${offset}`, 'aten::add', { a: number(scaled), b: int(offset) });
  }

  private made(name: string, op: string, inputs: Record<string, Operand>): string {
    const plain = name.replace(/-/g, 'minus_');
    if (!this.#names.has(plain)) this.nodes.push(call(op, inputs, plain, { overload: 'int' }));
    this.#names.set(plain, plain);
    return plain;
  }

  private refused(node: GraphNode, first: unknown, second: unknown): ConfigError {
    return new ConfigError(
      `${node.op}${placeOf(node)} has an argument that depends on the number of images: ${first} for ${this.batches[0]}, ${second} for ${this.batches[1]}.\nAn exported network takes any number: compute it with tensors.`,
    );
  }
}
