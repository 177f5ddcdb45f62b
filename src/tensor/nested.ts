/** Flat arrays of elements <-> nested JavaScript arrays. */
import { ArgumentError, ShapeError } from '../errors.js';
import type { Bytes } from '../native-types.js';
import { arrayFor, arrayWidth, type DType } from './dtype.js';
import type { NestedValues, ScalarValue } from './types.js';

/** One element as JavaScript reads it. */
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

/** The shape of nested arrays. Throws ShapeError where they are ragged, ArgumentError where they contain themselves. */
export function shapeOf(values: unknown): number[] {
  const shape: number[] = [];
  for (let value = values; Array.isArray(value); value = value[0]) {
    shape.push(value.length);
    if (shape.length > 64) throw new ArgumentError('The array is nested more than 64 deep, or contains itself.');
  }
  return shape;
}

/** PyTorch's rule: booleans make bool, whole numbers int64, any other number float32 (the default dtype). */
export function inferDType(values: unknown): DType {
  let kind: DType = 'bool';
  let any = false;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    any = true;
    if (typeof value === 'number' && !Number.isInteger(value)) kind = 'float32';
    else if ((typeof value === 'number' || typeof value === 'bigint') && kind === 'bool') kind = 'int64';
  };
  visit(values);
  return any ? kind : 'float32';
}

/** Nested numbers, booleans or bigints as one typed array in row-major order. */
export function flatten(values: unknown, shape: number[], dtype: DType): Bytes {
  const total = shape.reduce((product, size) => product * size, 1);
  const data = new (arrayFor(dtype))(total) as Bytes;
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
    if (wide) {
      if (typeof value === 'number' && !Number.isInteger(value))
        throw new ArgumentError(`${value} is no whole number, as ${dtype} needs.`);
      (data as BigInt64Array)[position++] = BigInt(value);
    } else {
      (data as Float64Array)[position++] = Number(value);
    }
  };
  visit(values, 0);
  return data;
}
