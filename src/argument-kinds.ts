/** The kinds of positional arguments, their checks, and how errors show values. */
import { ArgumentError } from './errors.js';

/** Key of every tensor for the copy of this package that made it; other copies in the process can read it. */
export const copyKey = Symbol.for('srrl.copy');

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isTensor = (value: unknown): boolean => isObject(value) && copyKey in value;
const isNumbers = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === 'number');

/** Kinds of positional arguments, as in `x: tensor`: the words for messages, and the check. */
const argumentKinds = {
  tensor: ['a tensor', isTensor],
  tensors: ['a tensor or an array of tensors', (value) => [value].flat().every(isTensor)],
  list: ['an array', Array.isArray],
  iterable: ['an array or another iterable', (value) => isObject(value) && Symbol.iterator in value],
  function: ['a function', (value) => typeof value === 'function'],
  number: ['a number', (value) => typeof value === 'number'],
  numbers: ['an array of numbers', isNumbers],
  sizes: ['a number or an array of numbers', (value) => typeof value === 'number' || isNumbers(value)],
  text: ['a text', (value) => typeof value === 'string'],
  object: ['an object', isObject],
  optimizer: ['an optimizer', (value) => isObject(value) && 'paramGroups' in value && Array.isArray(value.paramGroups)],
  layer: ['a module', (value) => isObject(value) && 'forward' in value && typeof value.forward === 'function'],
  model: ['a module', (value) => isObject(value) && 'namedParameters' in value],
} satisfies Record<string, [string, (value: unknown) => boolean]>;

const isContent = (kind: unknown): boolean =>
  kind === argumentKinds.iterable || kind === argumentKinds.object || kind === argumentKinds.list;

interface Positional {
  name: string;
  optional: boolean;
  /** Undefined where any value is accepted. */
  kind: [string, (value: unknown) => boolean] | undefined;
}

const parsed = new Map<string, Positional>();

/**
 * Parses `x`, `x: tensor` or `x?: tensor`. An argument with `?` may be left out or null, but null is not accepted for
 * iterables, lists and objects.
 */
function positionalOf(text: string): Positional {
  let found = parsed.get(text);
  if (!found) {
    const [, name = text, optional, kind] = text.match(/^(\w+)(\?)?(?:: (\w+))?$/) ?? [];
    found = {
      name,
      optional: optional !== undefined,
      kind: kind && argumentKinds[kind as keyof typeof argumentKinds],
    } as Positional;
    parsed.set(text, found);
  }
  return found;
}

/** Returns the names of positional arguments, without their kinds. */
export const namesOf = (positional: readonly string[]): string[] => positional.map((text) => positionalOf(text).name);

/** Throws ArgumentError if an argument is not of its declared kind. */
export function checkPositional(call: string, positional: readonly string[], given: ArrayLike<unknown>): void {
  for (let i = 0; i < positional.length; i++) {
    const { name, optional, kind } = positionalOf(positional[i] as string);
    const value = given[i];
    if (
      !kind ||
      (optional && value === undefined) ||
      (optional && value === null && !isContent(kind)) ||
      kind[1](value)
    )
      continue;
    throw new ArgumentError(`${call}: ${name} must be ${kind[0]}, not ${show(value)}.`);
  }
}

export function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // An object of another realm, as in Jest, has another Object.prototype with the same members.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty');
}

/** Describes a value in a few words, for messages. */
export function show(value: unknown, depth = 0): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`;
  // An array can contain itself.
  if (Array.isArray(value)) {
    if (depth === 3 || value.length > 4) return '[...]';
    return `[${value.map((item) => show(item, depth + 1)).join(', ')}]`;
  }
  if (typeof value === 'function') return value.name || 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return String(value);
  return isPlain(value) ? '{ ... }' : String(value.constructor?.name ?? 'an object');
}
