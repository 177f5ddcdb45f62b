/** Writes operator arguments as tagged unions of the serialized schema; src/distill/exported/values.ts reads them. */
import type { SchemaArgument } from '../../native-types.js';
import { dtypeName } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/index.js';
import type { Operand } from '../graph.js';
import { Real } from './json.js';

/** An object with one key, which names the kind. */
export type Union = Record<string, unknown>;

/** The schema's numbers of dtypes. */
const dtypes: Partial<Record<Tensor['dtype'], number>> = {
  uint8: 1,
  int8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  float16: 6,
  float32: 7,
  float64: 8,
  complex64: 10,
  complex128: 11,
  bool: 12,
  bfloat16: 13,
};

export const strided = 7;
/** Memory formats by c10's number: contiguous, preserve, channels_last, channels_last_3d. */
const memoryFormats = [1, 4, 2, 3];

export function dtypeNumber(dtype: Tensor['dtype']): number {
  const number = dtypes[dtype];
  if (number === undefined) throw new Error(`the format has no ${dtype}`);
  return number;
}

/** Returns the name of a value in the file. */
export type Renamed = (name: string) => string;

/** Returns the argument in the type of its operator's schema. Throws an Error if the format cannot express it. */
export function union({ kind, value }: Operand, type: SchemaArgument['type'], renamed: Renamed): Union {
  if (kind === 'none') return { as_none: true };
  if (kind === 'name') return { as_tensor: { name: renamed(value as string) } };
  if (kind === 'number') return { as_sym_int: { as_name: renamed(value as string) } };
  if (kind === 'names') return list(value as (string | number | null)[], type, renamed);
  if (kind === 'bool') return { as_bool: value };
  if (kind === 'string') return { as_string: value };
  if (kind === 'device') return { as_device: { type: value, index: null } };
  if (kind === 'float') return { as_float: new Real(value as number) };
  if (kind === 'floats') return { as_floats: (value as number[]).map((number) => new Real(number)) };
  if (kind === 'bools') return { as_bools: value };
  if (kind === 'ints')
    return type.startsWith('float')
      ? { as_floats: (value as number[]).map((number) => new Real(number)) }
      : { as_ints: value };
  if (kind === 'int') return integer(value as number, type);
  throw new Error(`it has an argument of the kind ${kind}`);
}

function integer(value: number, type: string): Union {
  if (type.startsWith('ScalarType')) return { as_scalar_type: dtypeNumber(dtypeName(value)) };
  if (type.startsWith('MemoryFormat')) return { as_memory_format: memoryFormats[value] };
  if (type.startsWith('Layout')) {
    if (value !== 0) throw new Error('it makes a tensor that is not strided');
    return { as_layout: strided };
  }
  return type.startsWith('float') ? { as_float: new Real(value) } : { as_int: value };
}

function list(items: (string | number | null)[], type: string, renamed: Renamed): Union {
  const tensor = (name: string) => ({ name: renamed(name) });
  if (type.startsWith('Tensor?'))
    return {
      as_optional_tensors: items.map((item) =>
        item === null ? { as_none: true } : { as_tensor: tensor(item as string) },
      ),
    };
  if (type.startsWith('Tensor')) return { as_tensors: items.map((item) => tensor(item as string)) };
  return {
    as_sym_ints: items.map((item) => (typeof item === 'string' ? { as_name: renamed(item) } : { as_int: item })),
  };
}
