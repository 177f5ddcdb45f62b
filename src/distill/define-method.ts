/** Distillation methods written by users. */
import { ConfigError } from '../errors.js';
import { validate, z } from '../options.js';
import type { Method, MethodKind, Objective, Setting } from './method.js';

type Value = number | boolean | string | readonly number[];
type Values = Record<string, Value>;

/** The argument of {@link defineMethod}. */
export interface MethodDefinition<Options extends Values> {
  /** Name for records and messages. */
  name: string;
  summary?: string;
  /** Default true. */
  needsTeacher?: boolean;
  /** Options with their defaults, or a strict zod object, which can also set ranges. Default: none. */
  options?: Options | z.ZodObject;
  /** Called once per run, with the run's options. */
  setUp(setting: Setting, options: Widened<Options>): Objective;
}

/**
 * Defines a method with options. Use it as the default export of a file with `--method module:./cosine.mjs:weight=2`,
 * or in a program with `method: cosine.create({ weight: 2 })`. Options are checked against the declaration: unknown
 * names and wrong types throw ConfigError.
 */
export function defineMethod<Options extends Values = Record<never, never>>(
  definition: MethodDefinition<Options>,
): MethodKind {
  const { name, summary = '', needsTeacher = true, options = {} } = definition;
  if (typeof name !== 'string' || name === '' || typeof definition.setUp !== 'function')
    throw new ConfigError('A method needs a name and setUp(setting, options).');
  const schema = options instanceof z.ZodObject ? options : schemaOf(options as Values, name);
  return {
    name,
    summary,
    options: schema,
    create(given = {}): Method {
      const chosen = validate(schema, given, { where: `the method ${name}`, equals: true });
      return {
        name,
        needsTeacher,
        options: chosen,
        setUp: (setting) => definition.setUp(setting, chosen as Widened<Options>),
      };
    },
  };
}

/** Widens literal types: a default of 5 has the type number. */
type Widened<Options extends Values> = {
  [Name in keyof Options]: Options[Name] extends number
    ? number
    : Options[Name] extends boolean
      ? boolean
      : Options[Name] extends string
        ? string
        : readonly number[];
};

function schemaOf(defaults: Values, method: string): z.ZodObject {
  const shape = Object.entries(defaults).map(([name, value]) => {
    if (typeof value === 'number') return [name, z.number().default(value)];
    if (typeof value === 'boolean') return [name, z.boolean().default(value)];
    if (typeof value === 'string') return [name, z.string().default(value)];
    if (Array.isArray(value)) return [name, z.array(z.number()).default([...value])];
    throw new ConfigError(`The default of ${name} of the method ${method} must be a number, boolean, text or list.`);
  });
  return z.strictObject(Object.fromEntries(shape));
}
