/** Methods as one string, for the command line: `srrl`, `kd:temperature=2,kd=0.5`, `srrl:alpha=10+kd`. */
import { ConfigError, messageOf } from '../errors.js';
import type { Method } from './method.js';
import { createMethod } from './methods/index.js';
import { SumOfMethods } from './sum.js';

/** The separator of methods; not the sign of an exponent, as in 1e+3. */
const plus = /\+(?!\d)/;
/** Integers with a slash after each, or between them. */
const list = /^(-?\d+\/)+(-?\d+)?$/;

/**
 * Parses `<method>[:<option>=<value>[,...]][+<method>...]`. Values are numbers, `true`, `false`, lists of integers
 * (`0/2/3`; `3/` for a single one), or else strings. Throws ConfigError with the wrong part and the nearest names.
 */
export function parseMethods(text: string): Method {
  const parts = text.split(plus).map((part) => part.trim());
  const methods = parts.map((part) => parsePart(part, text));
  const [only] = methods;
  return methods.length === 1 && only ? only : new SumOfMethods(methods);
}

function parsePart(part: string, text: string): Method {
  if (part === '') {
    throw new ConfigError(
      `'${text}' has an empty part where a method should be.\nWrite a method, or several with + between them, as in srrl+kd:temperature=2.`,
    );
  }
  const colon = part.indexOf(':');
  const name = colon < 0 ? part : part.slice(0, colon);
  const options = colon < 0 ? {} : parseOptions(part.slice(colon + 1), part);
  try {
    return createMethod(name.trim(), options);
  } catch (error) {
    throw new ConfigError(`In '${part}': ${messageOf(error)}`, { cause: error });
  }
}

/** Parses `<option>=<value>[,...]`. Errors name `part`. */
export function parseOptions(list: string, part: string): Record<string, unknown> {
  const options = new Map<string, unknown>();
  for (const item of list.split(',')) {
    const equals = item.indexOf('=');
    const key = item.slice(0, Math.max(equals, 0)).trim();
    const value = item.slice(equals + 1).trim();
    if (key === '' || value === '') {
      throw new ConfigError(
        `In '${part}': '${item.trim()}' is not an option with a value.\nWrite option=value, with commas between several.`,
      );
    }
    if (options.has(key)) throw new ConfigError(`In '${part}': the option ${key} appears twice.\nPass it only once.`);
    options.set(key, parseValue(value));
  }
  return Object.fromEntries(options);
}

function parseValue(text: string): number | boolean | string | number[] {
  if (text === 'true' || text === 'false') return text === 'true';
  if (list.test(text)) return text.split('/').filter(Boolean).map(Number);
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

/**
 * Returns the string that {@link parseMethods} parses as this method with these options. For a sum, `options` holds the
 * options of each method by name.
 */
export function methodText(name: string, options: Record<string, unknown>): string {
  const parts = name.split(plus);
  if (parts.length > 1)
    return parts.map((part) => methodText(part, (options[part] ?? {}) as Record<string, unknown>)).join('+');
  const given = Object.entries(options).map(([key, value]) => `${key}=${valueText(value)}`);
  return given.length === 0 ? name : `${name}:${given.join()}`;
}

const valueText = (value: unknown): string =>
  Array.isArray(value) ? value.map((item) => `${item}/`).join('') : String(value);
