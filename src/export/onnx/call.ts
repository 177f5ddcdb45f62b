/** One operator call, from which the operator's row reads arguments and writes nodes. */
import { ExportError } from '../../errors.js';
import type { DType } from '../../tensor/index.js';
import { argument, type Dim, type GraphNode, infoOf, type Operand, placeOf, type ValueInfo } from '../graph.js';
import type { Emitter } from './emitter.js';
import { type Attribute, onnxType } from './model.js';

/** The conversion of one PyTorch operator: it writes ONNX nodes, the last of which makes the result. */
export type Row = (call: Call) => unknown;
/** A family of operators, by name without overload. */
export type Rows = Readonly<Record<string, Row>>;

/** Dtypes from the narrowest to the widest, in PyTorch's order of promotion. */
const widths: readonly DType[] = [
  'bool',
  'uint8',
  'int8',
  'int16',
  'int32',
  'int64',
  'bfloat16',
  'float16',
  'float32',
  'float64',
];

/** One operator call with its arguments, shapes and the nodes that it writes. */
export class Call {
  constructor(
    readonly emitter: Emitter,
    readonly node: GraphNode,
  ) {}

  get opset(): number {
    return this.emitter.opset;
  }

  /** The first result that is used. */
  get #result(): string {
    return this.node.outputs.flat().find((name) => name !== null) ?? '';
  }

  refuse(why: string): never {
    throw new ExportError(`${this.node.op}${placeOf(this.node)} cannot be written as ONNX: ${why}.`);
  }

  operand(name: string): Operand {
    return argument(this.node, name);
  }

  has(name: string): boolean {
    return this.operand(name).kind !== 'none';
  }

  /** Returns a constant integer, float or boolean as a number. */
  number(name: string, initial?: number): number {
    const { kind, value } = this.operand(name);
    if (kind === 'none' && initial !== undefined) return initial;
    if (kind === 'int' || kind === 'float' || kind === 'bool') return Number(value);
    return this.refuse(`its argument ${name} must be a constant number`);
  }

  bool(name: string): boolean {
    return this.operand(name).value === true;
  }

  string(name: string): string {
    return String(this.operand(name).value);
  }

  /** Returns a constant list of integers; a single integer is repeated `length` times. */
  list(name: string, length?: number): number[] {
    const { kind, value } = this.operand(name);
    if (kind === 'none') return [];
    if (kind === 'int' && length !== undefined) return new Array<number>(length).fill(value as number);
    if (kind !== 'ints' && kind !== 'floats') return this.refuse(`its argument ${name} must be constant`);
    const items = value as number[];
    return length !== undefined && items.length === 1 ? new Array<number>(length).fill(items[0] as number) : items;
  }

  info(name: string): ValueInfo {
    const { kind, value } = this.operand(name);
    const info = kind === 'name' ? infoOf(this.emitter.graph, value as string) : undefined;
    return info ?? this.refuse(`its argument ${name} must be a tensor`);
  }

  shape(name: string): readonly Dim[] {
    return this.info(name).shape;
  }

  rank(name: string): number {
    return this.shape(name).length;
  }

  /** Returns a size, which must not depend on the number of images. */
  size(name: string, dim: number): number {
    const size = this.shape(name).at(dim);
    return typeof size === 'number' ? size : this.refuse(`the size of dimension ${dim} of ${name} must be constant`);
  }

  /** Returns a dimension, counted from the front. */
  dim(name: string, of = 'self'): number {
    const dim = this.number(name);
    return dim < 0 ? dim + this.rank(of) : dim;
  }

  get result(): string {
    return this.#result || this.refuse('its result is in no use');
  }

  /** The names of all results; lists of tensors are flattened. */
  get outputs(): string[] {
    return this.node.outputs.flat().map((name) => name ?? this.emitter.fresh('unused'));
  }

  get resultInfo(): ValueInfo {
    return infoOf(this.emitter.graph, this.#result) ?? this.refuse('its result has no known shape');
  }

  /** Returns the name of a tensor argument; a number becomes a tensor of `dtype`. */
  value(name: string, dtype?: DType): string {
    const { kind, value } = this.operand(name);
    if (kind === 'name') return this.emitter.value(value as string);
    if (kind === 'number') return this.cast(value as string, dtype ?? this.resultInfo.dtype);
    if (kind === 'int' || kind === 'float' || kind === 'bool')
      return this.emitter.scalar(Number(value), dtype ?? this.resultInfo.dtype);
    return this.refuse(`its argument ${name} must be a tensor`);
  }

  /** Returns the names of the tensors in a list. */
  values(name: string): string[] {
    const { kind, value } = this.operand(name);
    if (kind !== 'names') return this.refuse(`its argument ${name} must be a list of tensors`);
    return (value as string[]).map((item) => this.emitter.value(item));
  }

  /** Returns sizes as an int64 tensor; some of them may depend on the number of images. */
  sizes(name: string): string {
    const { kind, value } = this.operand(name);
    if (kind === 'ints') return this.emitter.ints(value as number[]);
    if (kind !== 'names') return this.refuse(`its argument ${name} must be a list of sizes`);
    const items = value as (string | number)[];
    // A single size that is not constant follows from the others.
    if (
      items.filter((item) => typeof item === 'string').length === 1 &&
      !items.includes(-1) &&
      /reshape|view/.test(this.node.op)
    )
      return this.emitter.ints(items.map((item) => (typeof item === 'string' ? -1 : item)));
    const parts = items.map((item) => (typeof item === 'string' ? item : this.emitter.ints([item])));
    return this.op('Concat', parts, { axis: 0 });
  }

  /** Returns the widest dtype of several arguments. */
  commonType(...names: string[]): DType {
    const tensors = names.filter((name) => this.operand(name).kind === 'name').map((name) => this.info(name).dtype);
    const widest = tensors.reduce((a, b) => (widths.indexOf(b) > widths.indexOf(a) ? b : a), tensors[0] ?? 'float32');
    const kinds = names.map((name) => this.operand(name).kind);
    if (kinds.includes('float') && !/float/.test(widest)) return 'float32';
    return kinds.includes('int') && widest === 'bool' ? 'int64' : widest;
  }

  /** Returns an argument in a dtype, cast if it has another. */
  as(name: string, dtype: DType): string {
    const input = this.value(name, dtype);
    if (this.operand(name).kind !== 'name' || this.info(name).dtype === dtype) return input;
    return this.cast(input, dtype);
  }

  cast(input: string, dtype: DType): string {
    return this.op('Cast', [input], { to: onnxType(dtype) });
  }

  /** Returns a number as a tensor, by default in the dtype of the result. */
  scalar(number: number, dtype: DType = this.resultInfo.dtype): string {
    return this.emitter.scalar(number, dtype);
  }

  ints(...numbers: number[]): string {
    return this.emitter.ints(numbers);
  }

  /** Writes an intermediate node; returns the name of its result. */
  op(opType: string, inputs: string[], attributes: Record<string, Attribute> = {}): string {
    const output = this.emitter.fresh(`${this.result}/${opType}`);
    this.write(opType, inputs, [output], attributes);
    return output;
  }

  /** Writes the node that makes the result; returns the name of the result. */
  done(opType: string, inputs: string[], attributes: Record<string, Attribute> = {}): string {
    this.write(opType, inputs, [this.result], attributes);
    return this.result;
  }

  write(opType: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute>): void {
    const { scope, source, op } = this.node;
    const name = this.emitter.fresh(`${scope || 'student'}/${opType}`);
    this.emitter.nodes.push({ opType, inputs, outputs, attributes, name, doc: [op, source].filter(Boolean).join(' ') });
  }
}

export const float = (value: number) => ({ float: value });
