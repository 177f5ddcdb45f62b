/** Reads arguments and results of nodes. */
import { FileError, TeacherError } from '../../errors.js';
import type { ScriptValue } from '../../native-types.js';
import type { z } from '../../options.js';
import { type Argument, contents, parsed } from './schema.js';

/** Options for reading arguments. */
export interface ValueOptions {
  device: string;
  /** Numbers of the dtypes that float32 replaces. */
  replaced: Set<number>;
}

/** c10::MemoryFormat by the number in the file format. */
const memoryFormats = [undefined, 0, 2, 3, 1];
const float32 = 7;
// "To the end" is 2^63 - 1, which JSON.parse rounds to this.
const largestInteger = 2 ** 63;

/** Returns the kind of an argument and its content. */
function opened(union: Argument): { kind: string; content: unknown } {
  const [[kind, content] = ['', undefined]] = Object.entries(union);
  return { kind, content };
}

function contentOf<Kind extends keyof typeof contents>(
  kind: Kind,
  content: unknown,
): z.output<(typeof contents)[Kind]> {
  return parsed(contents[kind] as z.ZodType, content, kind) as z.output<(typeof contents)[Kind]>;
}

function integer(value: number): number {
  if (!Number.isSafeInteger(value) && Math.abs(value) !== largestInteger)
    throw new FileError(`the integer ${value} is too large.`);
  return value;
}

/** Returns a symbolic size: a name in the graph, or a constant integer. */
function symbol(union: Argument): string | number {
  const { kind, content } = opened(union);
  if (kind === 'as_name' && typeof content === 'string') return content;
  if (kind === 'as_int') return integer(contentOf('as_int', content));
  throw new FileError(`a symbolic size is ${kind}.`);
}

/** Returns the name of a tensor, or null for None. */
function optionalName(union: Argument): string | null {
  const { kind, content } = opened(union);
  return kind === 'as_none' ? null : contentOf('as_tensor', kind === 'as_tensor' ? content : undefined).name;
}

const optionalValue = (name: string | null): ScriptValue =>
  name === null ? { kind: 'none', value: null } : { kind: 'name', value: name };

const readers: Record<string, (content: unknown, options: ValueOptions) => ScriptValue> = {
  as_none: () => ({ kind: 'none', value: null }),
  as_tensor: (content) => ({ kind: 'name', value: contentOf('as_tensor', content).name }),
  as_tensors: (content) => ({ kind: 'names', value: contentOf('as_tensors', content).map(({ name }) => name) }),
  as_optional_tensor: (content) => optionalValue(optionalName(contentOf('as_optional_tensor', content))),
  as_optional_tensors: (content) => ({
    kind: 'names',
    value: contentOf('as_optional_tensors', content).map(optionalName),
  }),
  as_int: (content) => ({ kind: 'int', value: integer(contentOf('as_int', content)) }),
  as_ints: (content) => ({ kind: 'ints', value: contentOf('as_ints', content).map(integer) }),
  as_float: (content) => ({ kind: 'float', value: Number(contentOf('as_float', content)) }),
  as_floats: (content) => ({ kind: 'floats', value: contentOf('as_floats', content).map(Number) }),
  as_bool: (content) => ({ kind: 'bool', value: contentOf('as_bool', content) }),
  as_bools: (content) => ({ kind: 'bools', value: contentOf('as_bools', content) }),
  as_string: (content) => ({ kind: 'string', value: contentOf('as_string', content) }),
  as_sym_int: (content) => symbolic(contentOf('as_sym_int', content)),
  as_sym_ints: (content) => ({ kind: 'names', value: contentOf('as_sym_ints', content).map(symbol) }),
  as_sym_float: (content) => symbolic(contentOf('as_sym_float', content)),
  as_sym_bool: (content) => symbolic(contentOf('as_sym_bool', content)),
  as_scalar_type: (content, { replaced }) => ({
    kind: 'int',
    value: scalarType(contentOf('as_scalar_type', content), replaced),
  }),
  as_memory_format: (content) => {
    const value = memoryFormats[contentOf('as_memory_format', content)];
    if (value === undefined) throw new FileError(`the memory format ${content} is not known.`);
    return { kind: 'int', value };
  },
  as_layout: (content) => {
    if (contentOf('as_layout', content) !== 7) throw new TeacherError('it makes a tensor that is sparse.');
    return { kind: 'int', value: 0 };
  },
  // The device of the export is ignored: constants belong on the device of the weights.
  as_device: (content, { device }) => {
    contentOf('as_device', content);
    return { kind: 'device', value: device };
  },
};

function symbolic(union: Argument): ScriptValue {
  const { kind, content } = opened(union);
  if (kind === 'as_float') return readers.as_float?.(content, noOptions) as ScriptValue;
  if (kind === 'as_bool') return readers.as_bool?.(content, noOptions) as ScriptValue;
  const value = symbol(union);
  return typeof value === 'string' ? { kind: 'number', value } : { kind: 'int', value };
}

const noOptions: ValueOptions = { device: 'cpu', replaced: new Set() };

/** Converts the number of a dtype to that of c10. Throws TeacherError for unsupported dtypes. */
function scalarType(number: number, replaced: Set<number>): number {
  const own = replaced.has(number) ? float32 : number;
  if (own >= 1 && own <= 12) return own - 1;
  if (own === 13) return 15;
  throw new TeacherError(`it uses a dtype that is not supported (number ${number}).`);
}

/** Converts an argument for the native part. Throws TeacherError for unsupported kinds. */
export function scriptValue(union: Argument, options: ValueOptions): ScriptValue {
  const { kind, content } = opened(union);
  const read = readers[kind];
  if (!Object.hasOwn(readers, kind) || !read)
    throw new TeacherError(`it has an argument of the kind ${kind}, which is not supported.`);
  return read(content, options);
}

/** Returns the names to which a result is bound; null for unused results. */
export function resultOf(union: Argument): string | null | (string | null)[] {
  const { kind, content } = opened(union);
  if (kind === 'as_none') return null;
  if (kind === 'as_tensor') return contentOf('as_tensor', content).name || null;
  if (kind === 'as_tensors') return contentOf('as_tensors', content).map(({ name }) => name || null);
  if (kind === 'as_sym_int' || kind === 'as_sym_float' || kind === 'as_sym_bool') {
    const value = symbolic(parsed(contents[kind], content, kind));
    if (value.kind === 'number') return value.value as string;
  }
  throw new TeacherError(`it has a result of the kind ${kind}, which is not supported.`);
}

/** Returns the name of an argument that is a tensor; else undefined. */
export function tensorName(union: Argument): string | undefined {
  const { kind, content } = opened(union);
  return kind === 'as_tensor' ? contentOf('as_tensor', content).name : undefined;
}
