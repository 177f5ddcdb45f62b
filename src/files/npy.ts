/** NumPy's .npy files: a magic number, a Python dict as text, and the elements. */
import { checkCall } from '../call.js';
import { FileError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { scope, type Tensor } from '../tensor/index.js';
import { byteLength, bytesOf, filledTensor, isSize, swapBytes, swapWidth } from './bytes.js';
import { reading } from './errors.js';
import { Input } from './input.js';
import { writeAtomically } from './output.js';

const codes: Partial<Record<DType, string>> = {
  bool: 'b1',
  uint8: 'u1',
  int8: 'i1',
  int16: 'i2',
  uint16: 'u2',
  int32: 'i4',
  uint32: 'u4',
  int64: 'i8',
  uint64: 'u8',
  float16: 'f2',
  float32: 'f4',
  float64: 'f8',
  complex64: 'c8',
  complex128: 'c16',
};
const dtypes = new Map(Object.entries(codes).map(([dtype, code]) => [code, dtype as DType]));
const magic = Buffer.from('\x93NUMPY', 'latin1');
const largestHeader = 2 ** 20;
const alignment = 64;

interface Header {
  dtype: DType;
  bigEndian: boolean;
  fortran: boolean;
  shape: number[];
}

/** Random access by position and length; {@link Input} and buffers provide it. */
export interface Source {
  readonly size: number;
  take(position: number, length: number): Buffer;
  read(into: Uint8Array, position: number): void;
}

/** Reads a .npy file of numbers, in either byte order and either memory order. */
export function loadNpy(file: string): Tensor {
  checkCall('loadNpy', ['file: text'], undefined, arguments);
  return reading(file, () => {
    const input = new Input(file);
    try {
      return readNpy(input);
    } finally {
      input.close();
    }
  });
}

/** Writes one tensor as a .npy file, atomically. */
export function saveNpy(file: string, tensor: Tensor): void {
  checkCall('saveNpy', ['file: text', 'tensor: tensor'], undefined, arguments);
  writeAtomically(file, (output) => {
    output.write(npyHeader(tensor));
    output.write(bytesOf(tensor));
  });
}

/** @internal Parses a tensor from the bytes of a .npy file. */
export function readNpy(source: Source): Tensor {
  const { text, start } = readHeader(source);
  const { dtype, bigEndian, fortran, shape } = parseHeader(text);
  const bytes = byteLength(dtype, shape);
  if (start + bytes !== source.size)
    throw new FileError(`its elements need ${bytes} bytes, but it holds ${source.size - start}; it is damaged.`);
  return scope(() => {
    const stored = filledTensor(dtype, fortran ? shape.toReversed() : shape, (into) => {
      source.read(into, start);
      if (bigEndian) swapBytes(into, swapWidth(dtype));
    });
    return fortran && shape.length > 1 ? stored.permute(shape.map((_, i) => shape.length - 1 - i)) : stored;
  });
}

/** @internal Builds the header that precedes the elements. */
export function npyHeader(tensor: Tensor): Buffer {
  const { dtype, shape } = tensor;
  const code = codes[dtype];
  if (!code) throw new FileError(`NumPy has no ${dtype}; convert the tensor first, as by to('float32').`);
  const order = code.endsWith('1') ? '|' : '<';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const before = magic.length + 4;
  const padding = (alignment - ((before + text.length + 1) % alignment)) % alignment;
  const padded = Buffer.from(`${text}${' '.repeat(padding)}\n`, 'latin1');
  const head = Buffer.from([...magic, 1, 0, padded.length & 255, padded.length >> 8]);
  return Buffer.concat([head, padded]);
}

function readHeader(source: Source): { text: string; start: number } {
  const head = source.take(0, Math.min(12, source.size));
  if (head.length < 10 || !head.subarray(0, magic.length).equals(magic)) throw new FileError('it is no .npy file.');
  const version = head[6] as number;
  if (version < 1 || version > 3) throw new FileError(`version ${version} of .npy is not known; 1 to 3 are.`);
  const wide = version > 1;
  if (wide && head.length < 12) throw new FileError('it is truncated.');
  const length = wide ? head.readUInt32LE(8) : head.readUInt16LE(8);
  if (length > largestHeader) throw new FileError(`its header of ${length} bytes is too large.`);
  const begin = wide ? 12 : 10;
  return { text: source.take(begin, length).toString(version === 3 ? 'utf8' : 'latin1'), start: begin + length };
}

function parseHeader(text: string): Header {
  const items = new Map<string, string>();
  const body = text.match(/^\s*\{(.*)\}\s*$/s)?.[1] ?? '';
  const item = /\s*(['"])(\w+)\1\s*:\s*(\([^()]*\)|True|False|(['"])[^'"]*\4)\s*(,|$)/gy;
  let end = 0;
  for (let match = item.exec(body); match; match = item.exec(body)) {
    items.set(match[2] as string, match[3] as string);
    end = item.lastIndex;
  }
  const descriptor = items.get('descr')?.match(/^['"]([<>|=])(\w+)['"]$/);
  if (body.slice(end).trim() !== '' || !descriptor)
    throw new FileError('its header does not describe an array of plain numbers (objects and records are not read).');
  const dtype = dtypes.get(descriptor[2] as string);
  if (!dtype) throw new FileError(`its element type '${descriptor[1]}${descriptor[2]}' is none of libtorch's.`);
  const order = items.get('fortran_order');
  const sizes = items.get('shape')?.match(/^\(\s*((?:\d+\s*,\s*)*(?:\d+\s*)?)\)$/)?.[1];
  const shape = sizes?.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []));
  if (items.size !== 3 || (order !== 'True' && order !== 'False') || !shape?.every(isSize) || shape.length > 64)
    throw new FileError('its header is not valid.');
  return { dtype, bigEndian: descriptor[1] === '>', fortran: order === 'True', shape };
}
