/** Collects the nodes and initializers of an ONNX graph. */
import { ExportError } from '../../errors.js';
import type { DType } from '../../tensor/index.js';
import type { Graph } from '../graph.js';
import { int64Proto, type OnnxNode, onnxType, rawProto, tensorProto } from './model.js';
import type { TensorProto } from './schema.generated.js';

/** Collects nodes and initializers. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, TensorProto>();
  readonly #names: Set<string>;

  constructor(
    readonly graph: Graph,
    readonly opset: number,
  ) {
    this.#names = new Set([
      ...graph.inputs,
      ...graph.weights.keys(),
      ...graph.nodes.flatMap(({ outputs }) => outputs.flat(2) as string[]),
    ]);
  }

  fresh(base: string): string {
    let name = base;
    for (let i = 1; this.#names.has(name); i++) name = `${base}_${i}`;
    this.#names.add(name);
    return name;
  }

  ints(numbers: readonly number[]): string {
    const name = numbers.length <= 8 ? `ints_${numbers.join('_')}`.replace(/-/g, 'm') : this.fresh('ints');
    if (!this.initializers.has(name)) this.initializers.set(name, int64Proto(name, numbers, [numbers.length]));
    return name;
  }

  floats(numbers: readonly number[]): string {
    const name = this.fresh('floats');
    this.initializers.set(name, rawProto(name, onnxType('float32'), Float32Array.from(numbers), [numbers.length]));
    return name;
  }

  /** Returns the name of a number as a zero-dimensional tensor. */
  scalar(number: number, dtype: DType): string {
    const name = `${dtype}_${Object.is(number, -0) ? 'm0' : number}`.replace(/-/g, 'm').replace(/[+]/g, '');
    if (this.initializers.has(name)) return name;
    const data = bits[dtype]?.(number);
    if (!data) throw new ExportError(`ONNX constants of ${dtype} are not supported.`);
    this.initializers.set(name, rawProto(name, onnxType(dtype), data, []));
    return name;
  }

  /** Adds a weight of the graph as an initializer under its name; returns the name. */
  value(name: string): string {
    const weight = this.graph.weights.get(name);
    if (weight && !this.initializers.has(name)) this.initializers.set(name, tensorProto(name, weight.tensor));
    return name;
  }
}

const bits: Partial<Record<DType, (number: number) => ArrayBufferView>> = {
  float32: (number) => Float32Array.of(number),
  float64: (number) => Float64Array.of(number),
  float16: (number) => Uint16Array.of(halfBits(number)),
  int64: (number) => BigInt64Array.of(BigInt(Math.trunc(number))),
  int32: (number) => Int32Array.of(number),
  uint8: (number) => Uint8Array.of(number),
  bool: (number) => Uint8Array.of(Number(number !== 0)),
};

/** Returns the bits of a number in float16, rounded to nearest as hardware does. */
function halfBits(number: number): number {
  if (Number.isNaN(number)) return 0x7e00;
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0;
  const size = Math.abs(number);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -24)));
  const scaled = size / 2 ** (exponent - 10);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = floor + Number(rest > 0.5 || (rest === 0.5 && floor % 2 === 1));
  return sign | (exponent === -14 ? rounded : ((exponent + 15) << 10) + (rounded - 1024));
}
