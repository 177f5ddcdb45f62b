/**
 * Describes what a schema expects: kind, range, choices and an example of an option; also shows wrong values.
 */
import { inspect } from 'node:util';
import { z } from 'zod';

/** The parts of a JSON schema that messages describe. */
export interface Form {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  anyOf?: Form[];
  properties?: Record<string, Form>;
  additionalProperties?: Form | boolean;
  items?: Form | false;
  prefixItems?: Form[];
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
}

type Path = readonly PropertyKey[];

const forms = new WeakMap<z.ZodType, Form>();

/** Returns the JSON schema of a schema. Cached, because making it takes milliseconds. */
export function formOf(schema: z.ZodType): Form {
  const form = forms.get(schema) ?? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Form);
  forms.set(schema, form);
  return form;
}

/** Returns the form of the value at a path; undefined if the schema has no such path. */
export function formAt(form: Form, [key, ...rest]: Path): Form | undefined {
  if (key === undefined) return form;
  for (const choice of form.anyOf ?? []) {
    const found = formAt(choice, [key, ...rest]);
    if (found) return found;
  }
  const more = typeof form.additionalProperties === 'object' ? form.additionalProperties : undefined;
  const next =
    typeof key === 'number'
      ? (form.prefixItems?.[key] ?? (form.items || undefined))
      : (form.properties?.[String(key)] ?? more);
  return next && formAt(next, rest);
}

export function valueAt(values: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined | null)?.[key],
    values,
  );
}

/** Returns the issue of the union branch that matched furthest, instead of that of the whole union. */
export function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const deeper = issue.errors
    .flat()
    .find(({ path, code }) => path.length > 0 || code === 'unrecognized_keys' || code === 'too_small');
  return deeper ? innermost({ ...deeper, path: [...issue.path, ...deeper.path] }) : issue;
}

/** Describes a form, as in `a whole number of at least 1` or `one of cosine, step, constant`. */
export function expectation(form: Form): string {
  if (form.anyOf) {
    const kinds = [...new Set(form.anyOf.map(expectation))];
    return kinds.join(' or ');
  }
  if (form.const !== undefined) return String(form.const);
  if (form.enum) return form.enum.length === 1 ? String(form.enum[0]) : `one of ${form.enum.join(', ')}`;
  if (Array.isArray(form.type)) return form.type.map((type) => kindOf({ ...form, type }, false)).join(' or ');
  if (form.type === 'array') return listExpectation(form);
  return kindOf(form, false);
}

function kindOf(form: Form, many: boolean): string {
  switch (form.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `${many ? 'whole numbers' : 'a whole number'}${rangeOf(form)}`;
    case 'number':
      return `${many ? 'numbers' : 'a number'}${rangeOf(form)}`;
    case 'string':
      if (form.format === 'date-time') return 'a date and time in ISO 8601';
      return many ? 'texts' : form.minLength ? 'a text that is not empty' : 'text';
    case 'null':
      return 'null';
    case 'array':
      return many ? 'lists' : listExpectation(form);
    case 'object': {
      const names = Object.keys(form.properties ?? {});
      if (many) return 'objects';
      return names.length > 0 ? `an object of options (${names.join(', ')})` : 'an object';
    }
    default:
      return form.description ?? 'something else';
  }
}

function listExpectation({ items, prefixItems, minItems }: Form): string {
  if (prefixItems) return `a list of ${prefixItems.length} ${kindOf(prefixItems[0] ?? {}, true)}`;
  if (!items) return 'a list';
  const few = minItems ? `, at least ${minItems}` : '';
  return `a list of ${items.enum ? items.enum.join(', ') : kindOf(items, true)}${few}`;
}

/** Describes the range; leaves out limits that only come from the precision of JavaScript numbers. */
function rangeOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Form): string {
  const worth = (limit?: number) =>
    limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER ? limit : undefined;
  const [least, most] = [worth(minimum), worth(maximum)];
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  const lower =
    exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : least !== undefined ? ` of at least ${least}` : '';
  const upper =
    exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : most !== undefined ? `of at most ${most}` : '';
  if (lower === '') return upper && ` ${upper}`;
  return upper === '' ? lower : `${lower} and ${upper}`;
}

/** Returns a valid value of the option: its default, one that its description names, or one of its kind. */
export function exampleOf(form: Form): unknown {
  if (form.default !== undefined) return form.default;
  if (form.const !== undefined) return form.const;
  if (form.enum) return form.enum[0];
  if (form.anyOf) return exampleOf(form.anyOf[0] ?? {});
  switch (form.type) {
    case 'boolean':
      return true;
    case 'integer':
      return Math.min(Math.max(1, form.minimum ?? 1), form.maximum ?? Number.POSITIVE_INFINITY);
    case 'number':
      return numberWithin(form);
    case 'array':
      if (form.prefixItems) return form.prefixItems.map(exampleOf);
      return Array.from({ length: Math.max(1, form.minItems ?? 1) }, () => exampleOf(form.items || {}));
    case 'object': {
      const [first] = Object.entries(form.properties ?? {});
      return first ? { [first[0]]: exampleOf(first[1]) } : {};
    }
    default:
      return wordFor(form.description ?? '');
  }
}

function numberWithin({ minimum = 0, exclusiveMinimum = minimum, maximum = 1 }: Form): number {
  return [0.1, 1, maximum].find((value) => value >= minimum && value > exclusiveMinimum && value <= maximum) ?? minimum;
}

/** Returns the word after `such as` in a description, or FILE, FOLDER or COLUMN if it names one, or else NAME. */
function wordFor(description: string): string {
  const named = /such as ([^\s,;]+)/.exec(description)?.[1];
  if (named !== undefined) return named;
  return /\b(file|folder|column)\b/i.exec(description)?.[1]?.toUpperCase() ?? 'NAME';
}

/** Describes a wrong value in a few words. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const maker = (Object.getPrototypeOf(value) as object | null)?.constructor;
    if (maker && maker !== Object) return `an object of class ${maker.name}`;
  }
  const text = inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 8, compact: true });
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Returns `must be <expected>, not <given>`, or that the value is missing; `option` is the form at that place. */
export function problem(issue: z.core.$ZodIssue, option: Form, value: unknown): string {
  if (value === undefined) return `is missing: it must be ${expectation(option)}`;
  // The schema's own message, if it has one instead of the validator's default.
  const own = /^(Invalid|Too|Unrecognized|Expected)\b/.test(issue.message) ? undefined : issue.message;
  if (own !== undefined && !own.startsWith('must')) return `${own}: ${shown(value)}`;
  return `${own ?? `must be ${expectation(option)}`}, not ${shown(value)}`;
}

/** Returns in one line what is wrong with the content of a file: the place, what is expected and what was found. */
export function problemIn(schema: z.ZodType, value: unknown, error: z.ZodError): string {
  const [first] = error.issues;
  if (!first) return 'not valid';
  const issue = innermost(first);
  const { path } = issue;
  const name = path.length > 0 ? path.join('.') : 'the content';
  const form = formOf(schema);
  if (issue.code === 'unrecognized_keys') return `${[...path, issue.keys[0]].join('.')} has no place here`;
  return `${name} ${problem(issue, formAt(form, path) ?? {}, valueAt(value, path))}`;
}
