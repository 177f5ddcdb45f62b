/**
 * Options are data: zod objects with defaults, ranges and one-line descriptions; flags, files and help come from them.
 */
import { z } from 'zod';
import { ConfigError } from './errors.js';
import {
  exampleOf,
  expectation,
  type Form,
  formAt,
  formOf,
  innermost,
  problem,
  shown,
  valueAt,
} from './expectation.js';
import { didYouMean, sameName } from './suggest.js';

export { z };

/** `batchSize` -> `batch-size` */
export const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The headings of the help by group, in the order shown. */
export const optionGroups = {
  data: 'Data',
  teacher: 'Teacher',
  student: 'Student',
  method: 'Method',
  srrl: 'Options of the method srrl',
  optimization: 'Optimization',
  run: 'Run',
  device: 'Device',
  output: 'Output',
} as const;
export type OptionGroup = keyof typeof optionGroups;

/** Metadata of an option that help shows next to its description. */
export interface OptionHelp {
  group?: OptionGroup;
  /** What the --no form does, for an option that is on by default. */
  off?: string;
  /** The flag's one-letter form. */
  short?: string;
  /** The default to show if the schema has none. */
  known?: unknown;
}

/** Returns the same options, assigned to one heading of the help. */
export const grouped = <Shape extends Readonly<Record<string, z.ZodType>>>(group: OptionGroup, shape: Shape): Shape =>
  Object.fromEntries(
    Object.entries(shape).map(([name, option]) => [name, option.meta({ ...option.meta(), group })]),
  ) as Shape;

/** Where options come from, so that an error names them as they were written. */
export interface Place {
  /** The source as in `Option 'lr' in <where>`, such as a file or the method kd. */
  where: string;
  /** The command that the options belong to; a missing option is then named as a flag. */
  command?: string;
  /** The options that were passed as flags. */
  flags?: readonly string[];
  /** Whether options are written as `name=value`. */
  equals?: boolean;
}

/**
 * Returns the values with defaults filled in. Throws ConfigError that names the first wrong option, what it must be,
 * the given value and an example; for an unknown option, similar names. `place` says where the values come from.
 */
export function validate<Schema extends z.ZodObject>(
  schema: Schema,
  values: unknown,
  place: string | Place,
): z.output<Schema> {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const from = typeof place === 'string' ? { where: place } : place;
  throw new ConfigError(refusal(formOf(schema), values, result.error.issues, from));
}

function refusal(form: Form, values: unknown, issues: readonly z.core.$ZodIssue[], place: Place): string {
  // Unknown names first: a mistyped name explains why another option is missing.
  const [first] = [...issues.filter(({ code }) => code === 'unrecognized_keys'), ...issues];
  const issue = first && innermost(first);
  if (issue?.code === 'unrecognized_keys') return unknownOption(issue.keys[0] ?? '', issue.path, form, place);
  const path = upToList(issue?.path ?? []);
  const [option, value] = [formAt(form, path) ?? {}, valueAt(values, path)];
  if (!issue || path.length === 0)
    return `The options in ${place.where} must be an object of names and values, not ${shown(values)}.`;
  const [top = ''] = path;
  if (value === undefined && path.length === 1 && place.command !== undefined) {
    const file = place.where.startsWith('the ') ? '' : `, or ${top} in ${place.where}`;
    return `srrl ${place.command} needs --${kebabCase(top)}${file}: ${option.description ?? expectation(option)}.`;
  }
  const flag = place.flags?.includes(top) ?? false;
  const name = flag ? `--${kebabCase(top)}` : `Option '${path.join('.')}' in ${place.where}`;
  const meant = option.enum && typeof value === 'string' ? didYouMean(value, option.enum.map(String)) : '';
  const hint = flag || place.equals ? '' : hintFor(option, value);
  return `${name} ${problem(issue, option, value)}${hint}.${meant || ` Example: ${written(path, exampleOf(option), flag ? 'flag' : place.equals ? 'equals' : 'colon')}`}`;
}

/** Cuts a path at the first list index, because messages name lists as a whole. */
function upToList(path: readonly PropertyKey[]): string[] {
  const index = path.findIndex((key) => typeof key === 'number');
  return path.slice(0, index < 0 ? path.length : index).map(String);
}

/** Returns a hint for YAML values: quotes distinguish text from numbers, and an empty value is null. */
function hintFor({ type }: Form, value: unknown): string {
  if (value === null) return ' (an empty value; leave the option out for its default)';
  const number = type === 'number' || type === 'integer';
  if (number && typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value)))
    return ' (a text; write it without quotes)';
  return type === 'string' && typeof value === 'number' ? ' (a number; write it in quotes)' : '';
}

function written(path: readonly string[], value: unknown, form: 'flag' | 'equals' | 'colon'): string {
  const text = (one: unknown): string => {
    if (Array.isArray(one)) return form === 'flag' ? one.map(text).join() : `[${one.map(text).join(', ')}]`;
    if (typeof one !== 'object' || one === null) return String(one);
    return `{ ${Object.entries(one).map(([name, inner]) => `${name}: ${text(inner)}`)} }`;
  };
  if (form === 'flag') return `--${kebabCase(path[0] ?? '')} ${text(value)}`;
  if (form === 'equals') return `${path.join('.')}=${text(value)}`;
  const [top = '', ...inner] = path;
  return `${top}: ${text(inner.reduceRight<unknown>((content, name) => ({ [name]: content }), value))}`;
}

function unknownOption(key: string, path: readonly PropertyKey[], form: Form, { where }: Place): string {
  const known = Object.entries(formAt(form, path)?.properties ?? {});
  const names = known.map(([name]) => name);
  const said = `Unknown option '${[...path, key].join('.')}' in ${where}.`;
  // The name is right but one level too high: mixup instead of augmentation.mixup.
  const inside = known.flatMap(([name, { properties = {} }]) =>
    sameName(key, Object.keys(properties)).map((inner) => `${name}.${inner}`),
  );
  if (sameName(key, names).length === 0 && inside.length > 0) return `${said} Did you mean ${inside.join(' or ')}?`;
  const meant = didYouMean(key, names);
  if (meant !== '') return said + meant;
  if (names.length === 0) return `${said} It has no options.`;
  return names.length > 12 ? said : `${said} The options are ${names.join(', ')}.`;
}

/** Describes the value that must follow a flag, with an example. */
export function neededValue(schema: z.ZodObject, name: string): string {
  const option = formAt(formOf(schema), [name]) ?? {};
  return `${expectation(option)}. Example: ${written([name], exampleOf(option), 'flag')}`;
}

/** Returns the same options without defaults, so that validated values show what was given. Help names the defaults. */
export function withoutDefaults(schema: z.ZodObject): z.ZodObject {
  const shape = Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, option]) => {
    if (!(option instanceof z.ZodDefault)) return [name, option.optional().describe(option.description ?? '')];
    const help = { description: option.description ?? '', known: option.def.defaultValue };
    return [name, (option.unwrap() as z.ZodType).optional().meta(help)];
  });
  return z.strictObject(Object.fromEntries(shape));
}
