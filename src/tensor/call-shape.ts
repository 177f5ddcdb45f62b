/** The shape of a call: the kinds of its arguments, under which the chosen overload is cached. */
import { isDType } from './dtype.js';
import { Tensor } from './tensor.js';
import { Complex, Float } from './types.js';

/** Keyword arguments: a plain object at the end. */
export type Options = Record<string, unknown>;

/** A number for the kinds of the arguments; a string where there are options or too many arguments for a number. */
export function keyOf(args: unknown[]): number | string {
  let key = 1;
  for (const arg of args) {
    const kind = arg instanceof Tensor ? 1 : kindOf(arg);
    if (kind === optionsKind) return `${key}:${optionsKey(arg as Options)}`;
    key = key * 16 + kind;
  }
  return args.length <= 10 ? key : `${args.length}:${args.map(kindOf).join()}`;
}

const optionsKind = 15;

function optionsKey(options: Options): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value instanceof Tensor ? 1 : kindOf(value)}`)
    .join();
}

function kindOf(value: unknown): number {
  switch (typeof value) {
    case 'undefined':
      return 0;
    case 'number':
      return Number.isSafeInteger(value) ? 2 : 3;
    case 'boolean':
      return 4;
    case 'string':
      return isDType(value) ? 5 : 6;
    case 'bigint':
      return 7;
    default:
      break;
  }
  if (value === null) return 8;
  if (value instanceof Tensor) return 1;
  if (Array.isArray(value)) return arrayKind(value);
  return value instanceof Float || value instanceof Complex || !isOptions(value) ? 14 : optionsKind;
}

function arrayKind(values: unknown[]): number {
  if (values.length === 0) return 9;
  if (values[0] instanceof Tensor || values[0] === null) return 10;
  if (values.every((value) => Number.isSafeInteger(value) || typeof value === 'bigint')) return 11;
  return typeof values[0] === 'boolean' ? 13 : 12;
}

function isOptions(value: unknown): value is Options {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Splits arguments into positional ones and, if the last argument is a plain object, options. */
export function splitOptions(args: unknown[]): { positional: unknown[]; options?: Options } {
  const last = args.at(-1);
  return isOptions(last) ? { positional: args.slice(0, -1), options: last } : { positional: args };
}
