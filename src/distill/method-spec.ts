/** Methods in one line of text, as a command line takes them: `srrl`, `kd:temperature=2,kd=0.5`, `srrl:alpha=10+kd`. */
import { ConfigError, messageOf } from '../errors.js';
import type { Method } from './method.js';
import { createMethod } from './methods/index.js';
import { SumOfMethods } from './sum.js';

/** Between methods; not the sign of an exponent, as in 1e+3. */
const plus = /\+(?!\d)/;
/** Whole numbers with a slash behind each, or between them. */
const list = /^(-?\d+\/)+(-?\d+)?$/;

/**
 * Reads `<method>[:<option>=<value>[,...]][+<method>...]`. Numbers, `true` and `false` are what they look like, `0/2/3`
 * is a list of numbers (`3/` a list of one); anything else is text. Throws ConfigError naming the part that is wrong,
 * with the nearest names.
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

/** Reads `<option>=<value>[,...]`; `part` is what an error names. */
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
 * The text that {@link parseMethods} reads as this method with these options; of a sum, `options` has those of each
 * method.
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
