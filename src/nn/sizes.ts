import { show } from '../argument-kinds.js';
import { ArgumentError } from '../errors.js';

/** One number for every spatial dimension, or one for each. */
export type Sizes = number | readonly number[];
/** One number for height and width, or both. */
export type Pair = number | readonly [number, number];

/** One number for each of `count` dimensions. Throws ArgumentError if the list has another length. */
export function sizesOf(value: Sizes, count: number, name: string): number[] {
  if (typeof value === 'number') return new Array<number>(count).fill(value);
  if (!Array.isArray(value))
    throw new ArgumentError(`${name} must be a number or ${count} numbers, not ${show(value)}.`);
  if (value.length !== count)
    throw new ArgumentError(`${name} must be a number or ${count} numbers, not ${show(value)}.`);
  return [...value];
}
