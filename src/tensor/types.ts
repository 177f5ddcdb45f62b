/** Types used in the generated operator signatures. */
import type { Bytes } from '../native-types.js';
import type { Tensor } from './tensor.js';

/**
 * A number that libtorch treats as a float even if it is whole: `torch.full([3], float(2))` is float32.
 */
export class Float {
  constructor(readonly value: number) {}
}

/** A complex scalar. */
export class Complex {
  constructor(
    readonly re: number,
    readonly im: number,
  ) {}
}

/** Marks a whole number as a float: `torch.full([2], float(1))`. */
export const float = (value: number): Float => new Float(value);
/** A complex number, for operators that take a Scalar. */
export const complexNumber = (re: number, im: number): Complex => new Complex(re, im);

/** libtorch's Scalar. A whole JavaScript number is an integer; see {@link float}. */
export type Scalar = number | bigint | boolean | Float | Complex;
export type Int = number | bigint;
export type IntList = readonly Int[];
/** A list of fixed length; one number is repeated to that length. */
export type IntSpread = Int | readonly Int[];
/** JavaScript value of one element of a tensor; complex numbers are [re, im]. */
export type ScalarValue = number | bigint | boolean | [number, number];
export type NestedValues = ScalarValue | NestedValues[];
/** Data that {@link tensor} accepts. */
export type TensorData = Scalar | Bytes | Tensor | NestedInput;
export type NestedInput = readonly (number | bigint | boolean | NestedInput)[];
