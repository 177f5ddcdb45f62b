/** Ranges and precision of dtypes, as torch.finfo and torch.iinfo. */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type DType, elementSize, isDType } from './dtype.js';

/** Range and precision of a floating-point dtype; for a complex one, of its parts. */
export interface FloatInfo {
  readonly dtype: DType;
  readonly bits: number;
  /** Difference between 1 and the next larger number. */
  readonly eps: number;
  readonly max: number;
  readonly min: number;
  /** Smallest positive normal number; `smallestNormal` is the same. */
  readonly tiny: number;
  readonly smallestNormal: number;
  /** Decimal digits that survive a round trip, approximately. */
  readonly resolution: number;
}

/** Range of an integer dtype; a bigint where a number would not be exact. */
export interface IntegerInfo {
  readonly dtype: DType;
  readonly bits: number;
  readonly max: number | bigint;
  readonly min: number | bigint;
}

/** Bits after the leading one, range of exponents, and how far `max` is below the next power of two, in ulps. */
const floats: Partial<Record<DType, [mantissa: number, maxExponent: number, minExponent: number, missing: number]>> = {
  float64: [52, 1023, -1022, 1],
  float32: [23, 127, -126, 1],
  float16: [10, 15, -14, 1],
  bfloat16: [7, 127, -126, 1],
  float8_e5m2: [2, 15, -14, 1],
  float8_e4m3fn: [3, 8, -6, 2],
};
const parts: Partial<Record<DType, DType>> = { complex128: 'float64', complex64: 'float32', complex32: 'float16' };

/** Returns range and precision of a floating-point or complex dtype. Throws ArgumentError for any other. */
export function finfo(dtype: DType = 'float32'): FloatInfo {
  checkCall('finfo', ['dtype?: text'], undefined, arguments);
  const real = parts[dtype] ?? dtype;
  const format = floats[real];
  if (!format) throw new ArgumentError(`finfo() takes a floating-point dtype, not '${dtype}'; iinfo() takes integers.`);
  const [mantissa, maxExponent, minExponent, missing] = format;
  const max = (2 - missing * 2 ** -mantissa) * 2 ** maxExponent;
  const [eps, tiny] = [2 ** -mantissa, 2 ** minExponent];
  const resolution = Number(`1e-${Math.floor(mantissa * Math.log10(2))}`);
  const bits = 8 * elementSize(real);
  return { dtype: real, bits, eps, max, min: -max, tiny, smallestNormal: tiny, resolution };
}

/** Returns the range of an integer dtype. Throws ArgumentError for any other. */
export function iinfo(dtype: DType): IntegerInfo {
  checkCall('iinfo', ['dtype: text'], undefined, arguments);
  const [, unsigned, width] = dtype.match(/^(u?)int(8|16|32|64)$/) ?? [];
  if (!width || !isDType(dtype))
    throw new ArgumentError(`iinfo() takes an integer dtype, not '${dtype}'; finfo() takes floating-point ones.`);
  const bits = Number(width);
  const exact = (value: bigint) => (bits > 53 && value !== 0n ? value : Number(value));
  const top = 2n ** BigInt(unsigned ? bits : bits - 1);
  return { dtype, bits, max: exact(top - 1n), min: exact(unsigned ? 0n : -top) };
}
