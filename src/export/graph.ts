/**
 * A network as a list of operator calls. `traceGraph` makes it, transformations such as folding normalizations return a
 * new one, and every format is written from it.
 *
 * - A *value* is a name: an input of the graph, a weight, or a result of a node. Each is defined once, before its use.
 * - Operators are PyTorch's, with the name and overload of their schema, and with all arguments by name.
 * - No operator works in place: `relu_` in the model is `relu` here. Dropout is removed.
 * - The number of images is dynamic. Where the model computes with it, a node `aten::size.int` reads it.
 * - Weights are named as in the state dict. The graph shares their memory with the model, and does not own it.
 */
import type { ScriptValue } from '../native-types.js';
import type { DType, Tensor } from '../tensor/index.js';

/** A size: a number, `batch` for the number of images, or null for another size that depends on it. */
export type Dim = number | 'batch' | null;

/** Shape and dtype of a tensor that the network computes. */
export interface ValueInfo {
  shape: readonly Dim[];
  dtype: DType;
  /** By dimension, the factor of null sizes that are a multiple of the number of images. */
  multiples?: ReadonlyMap<number, number>;
}

/**
 * An argument: `name` is a value, `number` a value that is an integer, `names` a list of values, None and integers;
 * all other kinds are constants. `None` is `{ kind: 'none', value: null }`.
 */
export type Operand = ScriptValue;

/** One call of an operator. */
export interface GraphNode {
  /** `aten::conv2d` */
  readonly op: string;
  /** The overload of the schema; empty for the default one. */
  readonly overload: string;
  /** Arguments, in the order of the schema. */
  readonly inputs: readonly { readonly name: string; readonly value: Operand }[];
  /** Names of the results: a list of names if a result is a list of tensors, null if it is unused. */
  readonly outputs: readonly (string | null | readonly (string | null)[])[];
  /** The path of the module that called it, as in the state dict; empty for the model itself. */
  readonly scope: string;
  /** `file:line` of the model's code; empty if unknown. */
  readonly source: string;
}

/** A tensor that is stored with the network. */
export interface Weight {
  readonly tensor: Tensor;
  /** `constant`: a tensor that is no property of a module. */
  readonly kind: 'parameter' | 'buffer' | 'constant';
}

/** A network as operator calls over named values, as the head of this file describes it. */
export interface Graph {
  /** Names of the inputs; a traced student has one, `images`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly GraphNode[];
  /** The whole state dict, in its order, and constants. Some may be unused, such as `num_batches_tracked`. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Shapes and dtypes of the inputs and of every result that is a tensor. */
  readonly values: ReadonlyMap<string, ValueInfo>;
  /** The modules of the model, parents first; the path of the model itself is empty. */
  readonly modules: readonly { readonly path: string; readonly type: string }[];
}

/** Returns the argument of that name; None if the node has none. */
export function argument({ inputs }: GraphNode, name: string): Operand {
  return inputs.find((input) => input.name === name)?.value ?? none;
}

export const none: Operand = { kind: 'none', value: null };

/** Returns the name of the first result. */
export const resultOf = ({ outputs }: GraphNode): string => outputs.flat()[0] ?? '';

/** Returns the names of the values in an argument. */
export function namesIn({ kind, value }: Operand): string[] {
  if (kind === 'name' || kind === 'number') return [value as string];
  return kind === 'names' ? (value as unknown[]).filter((item) => typeof item === 'string') : [];
}

/** Returns shape and dtype of a value or weight; undefined for numbers. */
export function infoOf(graph: Graph, name: string): ValueInfo | undefined {
  const weight = graph.weights.get(name)?.tensor;
  return weight ? { shape: weight.shape, dtype: weight.dtype } : graph.values.get(name);
}

/** Returns the nodes that read each value; undefined stands for the graph's outputs. */
export function usersOf(graph: Graph): Map<string, (GraphNode | undefined)[]> {
  const users = new Map<string, (GraphNode | undefined)[]>();
  const add = (name: string, node: GraphNode | undefined) => users.set(name, [...(users.get(name) ?? []), node]);
  for (const node of graph.nodes)
    for (const { value } of node.inputs) for (const name of namesIn(value)) add(name, node);
  for (const name of graph.outputs) add(name, undefined);
  return users;
}

/** Returns an operand with its values renamed by `names`. */
export function renamed(operand: Operand, names: ReadonlyMap<string, string>): Operand {
  const { kind, value } = operand;
  if (kind === 'name' || kind === 'number') return { kind, value: names.get(value as string) ?? value };
  if (kind !== 'names') return operand;
  const items = (value as (string | number | null)[]).map((item) =>
    typeof item === 'string' ? (names.get(item) ?? item) : item,
  );
  return { kind, value: items };
}

/** Returns a node's place in the model for messages, as in ` (module layer1.0.conv1, net.js:12)`, or an empty text. */
export function placeOf({ scope, source }: Pick<GraphNode, 'scope' | 'source'>): string {
  const parts = [scope && `module ${scope}`, source].filter(Boolean);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

/** Returns a node that a transformation adds, with its arguments in the order of the schema. */
export function call(
  op: string,
  inputs: Record<string, Operand>,
  output: string,
  { overload = '', scope = '', source = '' }: { overload?: string; scope?: string; source?: string } = {},
): GraphNode {
  const listed = Object.entries(inputs).map(([name, value]) => ({ name, value }));
  return { op, overload, inputs: listed, outputs: [output], scope, source };
}

export const value = (name: string): Operand => ({ kind: 'name', value: name });
export const int = (number: number): Operand => ({ kind: 'int', value: number });
export const ints = (numbers: readonly number[]): Operand => ({ kind: 'ints', value: [...numbers] });
export const bool = (on: boolean): Operand => ({ kind: 'bool', value: on });
export const float = (number: number): Operand => ({ kind: 'float', value: number });
