/** Conversion between flat typed arrays and nested JavaScript arrays. */
import { ArgumentError, ShapeError } from '../errors.js';
import type { Bytes } from '../native-types.js';
import { arrayFor, arrayWidth, type DType } from './dtype.js';
import type { NestedValues, ScalarValue } from './types.js';

/** One element as a JavaScript value. */
export function valueAt(data: Bytes, index: number, dtype: DType): ScalarValue {
  if (arrayWidth(dtype) === 2) return [Number(data[2 * index]), Number(data[2 * index + 1])];
  const value = data[index] as number | bigint;
  if (dtype === 'bool') return value !== 0;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value;
}

/** The elements in row-major order as arrays nested by `shape`. */
export function nested(data: Bytes, shape: number[], dtype: DType): NestedValues {
  let position = 0;
  const build = (dimension: number): NestedValues => {
    const size = shape[dimension];
    if (size === undefined) return valueAt(data, position++, dtype);
    return Array.from({ length: size }, () => build(dimension + 1));
  };
  return build(0);
}

/** The shape of nested arrays. Throws ShapeError if they are ragged, ArgumentError if they contain themselves. */
export function shapeOf(values: unknown): number[] {
  const shape: number[] = [];
  for (let value = values; Array.isArray(value); value = value[0]) {
    shape.push(value.length);
    if (shape.length > 64) throw new ArgumentError('The array is nested more than 64 deep, or contains itself.');
  }
  return shape;
}

/**
 * Infers a dtype by PyTorch's rule: booleans make bool, whole numbers int64, any other number float32 (the default
 * dtype). Numbers that int64 cannot hold, such as 1e30 and -0, also make float32.
 */
export function inferDType(values: unknown): DType {
  let kind: DType = 'bool';
  let any = false;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    any = true;
    if (typeof value === 'number' && !isInt64(value)) kind = 'float32';
    else if ((typeof value === 'number' || typeof value === 'bigint') && kind === 'bool') kind = 'int64';
  };
  visit(values);
  return any ? kind : 'float32';
}

const twoTo63 = 2 ** 63;

/** Whether int64 holds a number: -2^63 is a double but 2^63 - 1 is not, and -0 exists only as a float. */
const isInt64 = (value: number): boolean =>
  Number.isInteger(value) && value >= -twoTo63 && value < twoTo63 && !Object.is(value, -0);

/** One element in the form of its typed array. Throws ArgumentError if an integer type cannot hold it. */
function encode(value: number | bigint | boolean, dtype: DType, range: Range | undefined, wide: boolean) {
  if (dtype === 'bool') return value ? 1 : Number.isNaN(value) ? 1 : 0;
  if (!range || typeof value === 'boolean') return wide ? BigInt(value) : Number(value);
  if (typeof value === 'number' && !Number.isInteger(value))
    throw new ArgumentError(
      `${value} is not a whole number, as ${dtype} needs. Round it, or use { dtype: 'float32' }.`,
    );
  if (value < range.least || value > range.most) {
    const other = dtype === 'int64' && value > 0 && value < 2n ** 64n ? "'uint64'" : "'float32'";
    throw new ArgumentError(`${value} does not fit into ${dtype}; use { dtype: ${other} } if that is meant.`);
  }
  return wide ? BigInt(value) : Number(value);
}

interface Range {
  least: bigint;
  most: bigint;
}

/**
 * The accepted range of an integer type. As in PyTorch, unsigned types of up to 32 bits wrap negative numbers: -1
 * becomes 255.
 */
function integerRange(dtype: DType): Range | undefined {
  const [, unsigned, bits] = dtype.match(/^(u?)int(\d+)$/) ?? [];
  if (bits === undefined) return undefined;
  const most = 2n ** BigInt(unsigned ? bits : Number(bits) - 1) - 1n;
  if (!unsigned) return { least: -most - 1n, most };
  return { least: dtype === 'uint64' ? 0n : -most, most };
}

/** Nested numbers, booleans or bigints as one typed array in row-major order. */
export function flatten(values: unknown, shape: number[], dtype: DType): Bytes {
  const total = shape.reduce((product, size) => product * size, 1);
  const data = new (arrayFor(dtype))(total) as Bytes;
  const range = integerRange(dtype);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  let position = 0;
  const visit = (value: unknown, dimension: number): void => {
    const size = shape[dimension];
    if (size !== undefined) {
      if (!Array.isArray(value) || value.length !== size) {
        throw new ShapeError(`The nested array is ragged: expected ${size} elements at depth ${dimension}.`);
      }
      for (const item of value) visit(item, dimension + 1);
      return;
    }
    if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') {
      throw new ArgumentError(
        `An element of the array is ${value === null ? 'null' : `a ${typeof value}`}, not a number or boolean.`,
      );
    }
    data[position++] = encode(value, dtype, range, wide) as never;
  };
  visit(values, 0);
  return data;
}
