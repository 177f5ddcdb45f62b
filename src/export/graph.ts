/**
 * A network as a list of operator calls: what every format is written from, and what a change such as folding a
 * normalization returns anew. `traceGraph` makes it.
 *
 * - A *value* is a name: an input of the graph, a weight, or a result of a node. Each is made once, before its use.
 * - Operators are PyTorch's, by the name and overload of their schema, with all arguments, each under its name.
 * - Nothing is written in place: `relu_` in the model is `relu` here. Dropout of evaluation mode is gone.
 * - The number of images is free. Where the model computes with it, a node `aten::size.int` reads it.
 * - Weights are named as in the state dict. The graph shares their memory with the model, and does not own it.
 */
import type { ScriptValue } from '../native-types.js';
import type { DType, Tensor } from '../tensor/index.js';

/** A size; `batch` for the number of images, null for another one that depends on it. */
export type Dim = number | 'batch' | null;

/** What is known of a tensor that the network computes. */
export interface ValueInfo {
  shape: readonly Dim[];
  dtype: DType;
  /** Of sizes that are null, where they are a multiple of the number of images: the factor by dimension. */
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
  /** Of its schema; the empty string for the default one. */
  readonly overload: string;
  /** In the order of the schema. */
  readonly inputs: readonly { readonly name: string; readonly value: Operand }[];
  /** Names of the results; a list of names where a result is a list of tensors, null where it is in no use. */
  readonly outputs: readonly (string | null | readonly (string | null)[])[];
  /** The path of the module that called it, as in the state dict; empty for the model itself. */
  readonly scope: string;
  /** `file:line` of the model's code; empty where it is not known. */
  readonly source: string;
}

/** A tensor that the network brings along. */
export interface Weight {
  readonly tensor: Tensor;
  /** `constant`: no property of a module, but made while it was built. */
  readonly kind: 'parameter' | 'buffer' | 'constant';
}

/** A network as operator calls over named values, as the head of this file describes it. */
export interface Graph {
  /** Names of the inputs; a traced student has one, `images`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly GraphNode[];
  /** All of the state dict, in its order, and constants. Some may be in no use, such as `num_batches_tracked`. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Of inputs and of every result that is a tensor. */
  readonly values: ReadonlyMap<string, ValueInfo>;
  /** The modules that the model consists of, parents first; the path of the model itself is empty. */
  readonly modules: readonly { readonly path: string; readonly type: string }[];
}

/** The argument of that name; None where the schema has none. */
export function argument({ inputs }: GraphNode, name: string): Operand {
  return inputs.find((input) => input.name === name)?.value ?? none;
}

export const none: Operand = { kind: 'none', value: null };

/** The first result. */
export const resultOf = ({ outputs }: GraphNode): string => outputs.flat()[0] ?? '';

/** The values that an argument names. */
export function namesIn({ kind, value }: Operand): string[] {
  if (kind === 'name' || kind === 'number') return [value as string];
  return kind === 'names' ? (value as unknown[]).filter((item) => typeof item === 'string') : [];
}

/** Shape and dtype of a value or weight; undefined for numbers. */
export function infoOf(graph: Graph, name: string): ValueInfo | undefined {
  const weight = graph.weights.get(name)?.tensor;
  return weight ? { shape: weight.shape, dtype: weight.dtype } : graph.values.get(name);
}

/** For every value, the nodes that read it; the graph's outputs count as read by undefined. */
export function usersOf(graph: Graph): Map<string, (GraphNode | undefined)[]> {
  const users = new Map<string, (GraphNode | undefined)[]>();
  const add = (name: string, node: GraphNode | undefined) => users.set(name, [...(users.get(name) ?? []), node]);
  for (const node of graph.nodes)
    for (const { value } of node.inputs) for (const name of namesIn(value)) add(name, node);
  for (const name of graph.outputs) add(name, undefined);
  return users;
}

/** An operand with the values renamed that `names` has another name for. */
export function renamed(operand: Operand, names: ReadonlyMap<string, string>): Operand {
  const { kind, value } = operand;
  if (kind === 'name' || kind === 'number') return { kind, value: names.get(value as string) ?? value };
  if (kind !== 'names') return operand;
  const items = (value as (string | number | null)[]).map((item) =>
    typeof item === 'string' ? (names.get(item) ?? item) : item,
  );
  return { kind, value: items };
}

/** The place of a node in the model, for messages: ` (module layer1.0.conv1, net.js:12)`, or nothing. */
export function placeOf({ scope, source }: Pick<GraphNode, 'scope' | 'source'>): string {
  const parts = [scope && `module ${scope}`, source].filter(Boolean);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

/** A node that a transformation adds, with its arguments in the order of the schema. */
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
