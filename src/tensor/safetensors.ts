/** safetensors files: a length, a JSON header, and the bytes of the tensors one after the other. */
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomic.js';
import { FileError, messageOf } from '../errors.js';
import { fromArray } from './create.js';
import { arrayFor, arrayWidth, type DType } from './dtype.js';
import type { Tensor } from './tensor.js';

const names: Partial<Record<DType, string>> = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  uint32: 'U32',
  int64: 'I64',
  uint64: 'U64',
  float16: 'F16',
  bfloat16: 'BF16',
  float32: 'F32',
  float64: 'F64',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fn: 'F8_E4M3',
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));
const largestHeader = 100_000_000;

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Writes tensors by name, and texts by name as metadata, atomically. */
export function saveSafetensors(
  file: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string> = {},
): void {
  const header: Record<string, Entry | Record<string, string>> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const dtype = names[tensor.dtype];
    if (!dtype) throw new FileError(`'${name}' is ${tensor.dtype}, which safetensors cannot hold.`);
    const array = tensor.toTypedArray();
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    header[name] = { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileAtomic(file, length, padded, ...parts);
}

/** Reads a whole file. Throws FileError where it is truncated or does not describe itself consistently. */
export function loadSafetensors(file: string): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new FileError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
  const { header, data } = parseHeader(file, bytes);
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors: Record<string, Tensor> = {};
  for (const [name, entry] of Object.entries(entries)) tensors[name] = readEntry(file, name, entry as Entry, data);
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseHeader(file: string, bytes: Buffer): { header: Record<string, unknown>; data: Buffer } {
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE()) : Number.NaN;
  if (!(length <= largestHeader && 8 + length <= bytes.length))
    throw new FileError(`${file} is no safetensors file, or it is truncated.`);
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) {
      return { header: header as Record<string, unknown>, data: bytes.subarray(8 + length) };
    }
  } catch {
    // falls through to the same error
  }
  throw new FileError(`${file} is no safetensors file: its header is not JSON.`);
}

function readEntry(file: string, name: string, entry: Entry, data: Buffer): Tensor {
  const isSize = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const dtype = dtypes.get(entry?.dtype);
  const [begin, end] = Array.isArray(entry?.data_offsets) ? entry.data_offsets : [];
  if (!dtype || !Array.isArray(entry.shape) || !entry.shape.every(isSize) || !isSize(begin) || !isSize(end)) {
    throw new FileError(`${file}: the header entry of '${name}' is not valid.`);
  }
  const elements = entry.shape.reduce((product, size) => product * size, 1) * arrayWidth(dtype);
  const Type = arrayFor(dtype);
  const array = new Type(0);
  const bytes = elements * array.BYTES_PER_ELEMENT;
  if ((end as number) - (begin as number) !== bytes || (end as number) > data.length) {
    throw new FileError(
      `${file}: '${name}' needs ${bytes} bytes at ${begin}, but the file does not hold them; it is truncated or damaged.`,
    );
  }
  const values = new Type(elements);
  new Uint8Array(values.buffer).set(data.subarray(begin, end));
  return fromArray(values, entry.shape, { dtype });
}
