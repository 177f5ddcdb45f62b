/**
 * The check that every public function and class with options makes first: unknown options, values of the wrong kind,
 * and arguments that belong in the options. JavaScript would ignore all three.
 */
import { checkPositional, isPlain, namesOf, show } from './argument-kinds.js';
import { ConfigError } from './errors.js';
import { nearest } from './suggest.js';

/** The kind of an option's value: a `typeof` name, `number?` for a number or null, anything, or a list of words. */
export type Kind = 'number' | 'boolean' | 'string' | 'number?' | 'any' | readonly string[];
/** The kinds of all options of a type, in PyTorch's positional order. */
export type Kinds<Options> = { readonly [Name in keyof Options]-?: Kind };
type AnyKinds = Readonly<Record<string, Kind>>;

/**
 * Checks `given`, the arguments of the function `name`. Throws ConfigError if there are more than the positional ones
 * and an object of options, or if an option is unknown, of the wrong kind, or `required` and missing. Throws
 * ArgumentError if a positional argument is not of its declared kind, as in `x: tensor`. Costs tens of nanoseconds.
 */
export function checkCall(
  name: string,
  positional: readonly string[],
  kinds: AnyKinds | undefined,
  given: ArrayLike<unknown>,
  required: readonly string[] = [],
): void {
  checkOptionsOf(name, positional, kinds, given);
  checkPositional(name, positional, given);
  for (const key of required) {
    if ((given[positional.length] as Record<string, unknown> | undefined)?.[key] === undefined)
      throw new ConfigError(`${name}: the option ${key} is missing.`);
  }
}

function checkOptionsOf(
  name: string,
  positional: readonly string[],
  kinds: AnyKinds | undefined,
  given: ArrayLike<unknown>,
): void {
  const count = positional.length;
  if (given.length > count) {
    const options = given[count];
    if (given.length > count + 1 || !kinds || (options !== undefined && !isPlain(options)))
      refuseExtra(name, positional, kinds, given);
    if (options !== undefined) checkOptions(name, kinds as AnyKinds, options as object);
    return;
  }
  const last = given.length > 0 ? given[given.length - 1] : undefined;
  if (typeof last === 'object' && isPlain(last))
    refuseNamed(name, positional, kinds ?? {}, last as object, given.length - 1);
}

/**
 * The part of {@link checkCall} for functions whose last argument is an object with any keys, such as tensors by name:
 * only refuses extra arguments.
 */
export function checkCount(name: string, positional: readonly string[], given: ArrayLike<unknown>): void {
  if (given.length > positional.length) refuseExtra(name, positional, undefined, given);
}

/** The part of {@link checkCall} that checks an object of options. */
export function checkOptions(name: string, kinds: AnyKinds, options: object): void {
  for (const key in options) {
    const kind = kinds[key];
    // Inherited members, such as toString, are not options either.
    if (kind === undefined || typeof kind === 'function')
      throw new ConfigError(`${name}: ${unknown(key, Object.keys(kinds))}`);
    if (kind === 'any') continue;
    const value = (options as Record<string, unknown>)[key];
    if (typeof value !== kind && value !== undefined) checkKind(name, key, kind, value);
  }
}

function checkKind(name: string, key: string, kind: Kind, value: unknown): void {
  if (typeof kind === 'object') {
    if (kind.includes(value as string)) return;
    const words = kind.map((word) => `'${word}'`);
    const last = words.pop();
    throw new ConfigError(`${name}: ${key} must be ${words.join(', ')} or ${last}, not ${show(value)}.`);
  }
  if (kind === 'number?' && (value === null || typeof value === 'number')) return;
  const wanted = kind === 'number?' ? 'a number or null' : `a ${kind}`;
  throw new ConfigError(`${name}: ${key} must be ${wanted}, not ${show(value)}.`);
}

/** Names that other libraries and older versions of PyTorch have for the same thing. */
const otherNames: Record<string, string> = {
  learningRate: 'lr',
  rate: 'lr',
  reduce: 'reduction',
  sizeAverage: 'reduction',
  decay: 'weightDecay',
  l2: 'weightDecay',
  temp: 'temperature',
  epsilon: 'eps',
  negativeSlope: 'a',
  type: 'dtype',
  classes: 'numClasses',
  channels: 'inChannels',
};

/** Returns `Unknown option 'x'.` with the nearest option names, or with all of them. */
function unknown(key: string, known: string[]): string {
  const camel = key.replace(/[_-]+(\w)/g, (_all, letter: string) => letter.toUpperCase());
  const other = otherNames[camel] ?? '';
  const exact =
    known.find((name) => name.toLowerCase() === camel.toLowerCase()) ?? known.find((name) => name === other);
  const meant = exact ? [exact] : nearest(camel, known);
  const all = known.length > 0 ? `The options are ${known.join(', ')}.` : 'There are no options.';
  return `Unknown option '${key}'. ${meant.length > 0 ? `Did you mean ${meant.join(' or ')}?` : all}`;
}

/** Refuses extra arguments, such as options passed one by one as in Python. */
function refuseExtra(
  name: string,
  positional: readonly string[],
  kinds: AnyKinds | undefined,
  given: ArrayLike<unknown>,
): never {
  const all = Array.from(given);
  const argumentNames = namesOf(positional);
  const call = `${name}(${all.map((value) => show(value)).join(', ')})`;
  const extra = all.slice(positional.length);
  const names = Object.keys(kinds ?? {});
  const options = isPlain(extra.at(-1)) ? (extra.pop() as object) : {};
  if (extra.length > names.length || !kinds || extra.length === 0) {
    const takes = positional.length > 0 ? `at most ${argumentNames.join(', ')}` : kinds ? 'no arguments' : 'nothing';
    const more = kinds ? ` and an object of options: ${names.join(', ')}` : '';
    throw new ConfigError(`${call}: it takes ${takes}${more}.`);
  }
  const moved = extra.map((value, i) => `${names[i]}: ${show(value)}`);
  const rest = Object.entries(options).map(([key, value]) => `${key}: ${show(value)}`);
  const first = [
    ...all.slice(0, positional.length).map((value) => show(value)),
    `{ ${[...moved, ...rest].join(', ')} }`,
  ];
  const subject = names.slice(0, extra.length);
  const verb = subject.length === 1 ? 'belongs' : 'belong';
  const listed = subject.length === 1 ? subject[0] : `${subject.slice(0, -1).join(', ')} and ${subject.at(-1)}`;
  throw new ConfigError(`${call}: ${listed} ${verb} in the options: ${name}(${first.join(', ')}).`);
}

/** Refuses an object passed instead of positional arguments if its keys are their names. */
function refuseNamed(name: string, written: readonly string[], kinds: AnyKinds, given: object, at: number): void {
  const positional = namesOf(written);
  const keys = Object.keys(given);
  if (keys.length === 0 || !keys.every((key) => positional.includes(key) || Object.hasOwn(kinds, key))) return;
  const options = Object.keys(kinds).length > 0 ? [...positional, '{ options }'] : positional;
  throw new ConfigError(
    `${name}: argument ${at + 1} is ${positional[at]}, not an object. Write ${name}(${options.join(', ')}).`,
  );
}
