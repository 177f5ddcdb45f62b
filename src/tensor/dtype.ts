/** Element types, memory layouts and memory formats: PyTorch's names and libtorch's numbers for them. */
import { ArgumentError } from '../errors.js';
import type { Bytes } from '../native-types.js';

const codes = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  complex32: 8,
  complex64: 9,
  complex128: 10,
  bool: 11,
  qint8: 12,
  quint8: 13,
  qint32: 14,
  bfloat16: 15,
  float8_e5m2: 23,
  float8_e4m3fn: 24,
  uint16: 27,
  uint32: 28,
  uint64: 29,
} as const;

/** An element type by PyTorch's name. */
export type DType = keyof typeof codes;

/** All element types. */
export const dtypes = Object.keys(codes) as readonly DType[];

const names = new Map<number, DType>(Object.entries(codes).map(([name, code]) => [code, name as DType]));

export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(codes, value);
}

export function dtypeCode(dtype: DType): number {
  const code = codes[dtype];
  if (code === undefined)
    throw new ArgumentError(`'${dtype}' is not a dtype; there are ${Object.keys(codes).join(', ')}.`);
  return code;
}

export function dtypeName(code: number): DType {
  const name = names.get(code);
  if (!name) throw new ArgumentError(`The element type number ${code} of libtorch has no name here.`);
  return name;
}

export function isFloatingPoint(dtype: DType): boolean {
  return dtype.startsWith('float') || dtype === 'bfloat16';
}

const layouts = {
  strided: 0,
  sparse_coo: 1,
  sparse_csr: 2,
  _mkldnn: 3,
  sparse_csc: 4,
  sparse_bsr: 5,
  sparse_bsc: 6,
} as const;
/** How the elements of a tensor are stored. */
export type Layout = keyof typeof layouts;
export const layoutCode = (layout: Layout): number | undefined => layouts[layout];
const layoutNames = new Map<number, Layout>(Object.entries(layouts).map(([name, code]) => [code, name as Layout]));
export function layoutName(code: number): Layout {
  const name = layoutNames.get(code);
  if (!name) throw new ArgumentError(`The layout number ${code} of libtorch has no name here.`);
  return name;
}

const memoryFormats = { contiguous: 0, preserve: 1, channelsLast: 2, channelsLast3d: 3 } as const;
/** The order of dimensions in memory. */
export type MemoryFormat = keyof typeof memoryFormats;
export const memoryFormatCode = (format: MemoryFormat): number | undefined => memoryFormats[format];

type ArrayConstructor = { new (length: number): Bytes; readonly name: string };

// Types without a JavaScript typed array are passed as the bits of an unsigned integer type.
const arrays: Record<DType, ArrayConstructor> = {
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  complex32: Uint32Array,
  complex64: Float32Array,
  complex128: Float64Array,
  bool: Uint8Array,
  qint8: Int8Array,
  quint8: Uint8Array,
  qint32: Int32Array,
  bfloat16: Uint16Array,
  float8_e5m2: Uint8Array,
  float8_e4m3fn: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};

/** How many array elements one tensor element takes. */
export const arrayWidth = (dtype: DType): number => (dtype === 'complex64' || dtype === 'complex128' ? 2 : 1);

/** Bytes of one tensor element. */
export const elementSize = (dtype: DType): number =>
  arrayWidth(dtype) * (arrays[dtype] as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;

export const arrayFor = (dtype: DType): ArrayConstructor => arrays[dtype];

const ofArray = new Map<string, DType>([
  ['Uint8Array', 'uint8'],
  ['Uint8ClampedArray', 'uint8'],
  ['Buffer', 'uint8'],
  ['Int8Array', 'int8'],
  ['Uint16Array', 'uint16'],
  ['Int16Array', 'int16'],
  ['Uint32Array', 'uint32'],
  ['Int32Array', 'int32'],
  ['BigInt64Array', 'int64'],
  ['BigUint64Array', 'uint64'],
  ['Float32Array', 'float32'],
  ['Float64Array', 'float64'],
]);

/** The element type of a typed array. Throws ArgumentError for a class without one. */
export function dtypeOfArray(array: Bytes): DType {
  const dtype = ofArray.get(array.constructor.name);
  if (!dtype) throw new ArgumentError(`A ${array.constructor.name} has no element type of libtorch's.`);
  return dtype;
}
