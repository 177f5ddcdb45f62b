/** Checks arguments of operators against the types of their schemas, and encodes them for the addon. */
import { copyKey } from '../argument-kinds.js';
import { ArgumentError } from '../errors.js';
import { packageRoot } from '../native.js';
import type { Flat, SchemaArgument } from '../native-types.js';
import { dtypeCode, isDType, type Layout, layoutCode, type MemoryFormat, memoryFormatCode } from './dtype.js';
import { Generator } from './generator.js';
import { camelCase } from './names.js';
import { Tensor } from './tensor.js';
import { TensorList } from './tensor-list.js';
import { Complex, Float, float } from './types.js';

/** A parameter of an operator, in the form that calls need. */
export interface Parameter {
  /** The name in camelCase, as options use it. */
  key: string;
  /** The schema's type: `Tensor`, `int[2]?`. */
  type: string;
  /** The type of one element: `Tensor`, `int`, `ScalarType`, ... */
  kind: string;
  list: boolean;
  /** Length of the list that one value is repeated to; 0 if a list is required. */
  size: number;
  optional: boolean;
  elementOptional: boolean;
  keywordOnly: boolean;
  out: boolean;
  written: boolean;
  hasDefault: boolean;
  /** A tensor, neither a list nor optional: encoded as its handle. */
  plainTensor: boolean;
}

export function parameterOf(argument: SchemaArgument): Parameter {
  const [, kind = '', elementOptional, list, size, optional] =
    argument.type.match(/^(\w+)(\?(?=\[))?(\[(\d*)\])?(\?)?$/) ?? [];
  return {
    key: camelCase(argument.name),
    type: argument.type,
    kind,
    list: list !== undefined,
    size: Number(size || 0),
    optional: optional !== undefined,
    elementOptional: elementOptional !== undefined,
    keywordOnly: argument.keywordOnly,
    out: argument.out,
    written: argument.written,
    hasDefault: argument.hasDefault,
    plainTensor: argument.type === 'Tensor',
  };
}

/** Returns how far a value is from a parameter's type: 0 is an exact match, undefined does not fit. */
export function match(parameter: Parameter, value: unknown): number | undefined {
  if (value === undefined) return parameter.hasDefault ? 0 : undefined;
  if (value === null) return parameter.optional ? 0 : undefined;
  if (!parameter.list) return matchOne(parameter.kind, value);
  if (value instanceof TensorList) return parameter.kind === 'Tensor' ? 0 : undefined;
  if (Array.isArray(value)) {
    let cost = 0;
    for (const item of value) {
      const fit = item === null && parameter.elementOptional ? 0 : matchOne(parameter.kind, item);
      if (fit === undefined) return undefined;
      cost = Math.max(cost, fit);
    }
    return cost;
  }
  const spread = parameter.size > 0 ? matchOne(parameter.kind, value) : undefined;
  return spread === undefined ? undefined : spread + 2;
}

function matchOne(kind: string, value: unknown): number | undefined {
  const fits = matchers[kind]?.(value);
  return fits === undefined || fits < 0 ? undefined : fits;
}

const no = -1;
const isInt = (value: unknown) => Number.isSafeInteger(value) || typeof value === 'bigint';
const matchers: Record<string, (value: unknown) => number> = {
  Tensor: (value) => (value instanceof Tensor ? 0 : no),
  int: (value) => (isInt(value) ? 0 : no),
  float: (value) => (typeof value === 'number' ? (Number.isInteger(value) ? 1 : 0) : value instanceof Float ? 0 : no),
  bool: (value) => (typeof value === 'boolean' ? 0 : no),
  Scalar: (value) => {
    if (typeof value === 'boolean') return 2;
    return typeof value === 'number' || typeof value === 'bigint' || value instanceof Float || value instanceof Complex
      ? 1
      : no;
  },
  str: (value) => (typeof value === 'string' ? 1 : no),
  ScalarType: (value) => (isDType(value) ? 0 : no),
  Layout: (value) => (typeof value === 'string' && layoutCode(value as Layout) !== undefined ? 0 : no),
  MemoryFormat: (value) =>
    typeof value === 'string' && memoryFormatCode(value as MemoryFormat) !== undefined ? 0 : no,
  Device: (value) => (typeof value === 'string' && /^[a-z]+(:\d+)?$/.test(value) ? 1 : no),
  Generator: (value) => (value instanceof Generator ? 0 : no),
};

/** Appends the flat form of a value, as native/convert.h reads it. */
export function encode(parameter: Parameter, value: unknown, flat: Flat[], operator: string): void {
  if (value === undefined || value === null) {
    flat.push(value);
    return;
  }
  if (!parameter.list) {
    flat.push(encodeOne(parameter, value, operator));
    return;
  }
  if (value instanceof TensorList) {
    flat.push(-2, value.handle);
    return;
  }
  const items = Array.isArray(value) ? value : new Array(parameter.size).fill(value);
  flat.push(items.length);
  for (const item of items) flat.push(item === null ? null : encodeOne(parameter, item, operator));
}

function encodeOne(parameter: Parameter, value: unknown, operator: string): Flat {
  // The plan was made for other values of the same kinds, so each value is checked again.
  if (matchOne(parameter.kind, value) === undefined) {
    throw new ArgumentError(
      `${operator}: argument '${parameter.key}' must be ${parameter.type}, got ${describeValue(value)}.`,
    );
  }
  if (value instanceof Tensor || value instanceof Generator) return value.handle;
  if (value instanceof Float) return Float64Array.of(value.value);
  if (value instanceof Complex) return Float64Array.of(value.re, value.im);
  switch (parameter.kind) {
    case 'ScalarType':
      return dtypeCode(value as Parameters<typeof dtypeCode>[0]);
    case 'Layout':
      return layoutCode(value as Layout);
    case 'MemoryFormat':
      return memoryFormatCode(value as MemoryFormat);
    default:
      return value as Flat;
  }
}

/** Path of the copy of this package that made a tensor; undefined for other values. */
const copyOf = (value: unknown): unknown => (value as { [copyKey]?: unknown } | null | undefined)?.[copyKey];

/** A value as error messages name it. */
export function describeValue(value: unknown, depth = 0): string {
  if (value instanceof Tensor) return 'Tensor';
  const stranger = copyOf(value);
  if (stranger) return `a Tensor of another copy of srrl (${stranger}), which this one (${packageRoot}) cannot use`;
  if (Array.isArray(value)) {
    // An array can contain itself.
    if (depth === 3) return '[...]';
    const items = value.slice(0, 4).map((item) => describeValue(item, depth + 1));
    return `[${items.join(', ')}${value.length > 4 ? ', ...' : ''}]`;
  }
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (value === null || typeof value === 'number' || typeof value === 'boolean' || value === undefined)
    return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value === float) return 'torch.float (write torch.float32)';
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
}
