/** The types that the generated operator signatures are written in. */
import type { Bytes } from '../native-types.js';
import type { Tensor } from './tensor.js';

/**
 * A number that is a float for libtorch even where it is whole: `float(2)` makes `torch.full([3], float(2))` float32.
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

/** Says that a whole number is meant as a float: `torch.full([2], float(1))`. */
export const float = (value: number): Float => new Float(value);
/** A complex number, for operators that take a Scalar. */
export const complexNumber = (re: number, im: number): Complex => new Complex(re, im);

/** libtorch's Scalar. A whole JavaScript number is an integer; see {@link float}. */
export type Scalar = number | bigint | boolean | Float | Complex;
export type Int = number | bigint;
export type IntList = readonly Int[];
/** A list of fixed length, to which one number is spread. */
export type IntSpread = Int | readonly Int[];
/** What one element of a tensor reads as. */
export type ScalarValue = number | bigint | boolean | [number, number];
export type NestedValues = ScalarValue | NestedValues[];
/** What {@link tensor} takes. */
export type TensorData = Scalar | Bytes | Tensor | NestedInput;
export type NestedInput = readonly (number | bigint | boolean | NestedInput)[];
