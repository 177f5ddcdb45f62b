/** safetensors files: a length, a JSON header, and the bytes of the tensors in sequence. */
import { checkCall, checkCount } from '../call.js';
import { DamagedError, FileError, messageOf } from '../errors.js';
import { parseStrict } from '../strict-json.js';
import type { DType } from '../tensor/dtype.js';
import { scope, type Tensor } from '../tensor/index.js';
import { byteLength, bytesOf, filledTensor, isSize, itemSize } from './bytes.js';
import { checksumKey, checkWhole, continued, noChecksum, placeOfChecksum, withChecksum } from './checksum.js';
import { naming, reading } from './errors.js';
import { Input } from './input.js';
import { writeAtomically } from './output.js';

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
  complex64: 'C64',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fn: 'F8_E4M3',
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));
const largestHeader = 100_000_000;

/** The header's description of one tensor. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

interface Place extends SafetensorsEntry {
  readonly begin: number;
  readonly end: number;
}

/**
 * Writes named tensors and named metadata texts, atomically and one tensor at a time. A checksum of the whole file is
 * added to the metadata; {@link loadSafetensors} verifies it.
 */
export function saveSafetensors(
  file: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string> = {},
): void {
  checkCount('saveSafetensors', ['file', 'tensors', 'metadata'], arguments);
  writeAtomically(file, (output) => {
    const entries = Object.entries(tensors).map(([name, tensor]) => {
      const { dtype, shape } = naming(name, () => ({ dtype: tensor.dtype, shape: tensor.shape }));
      if (name === '__metadata__')
        throw new FileError("A tensor cannot be named '__metadata__': safetensors keeps that for texts.");
      if (!names[dtype]) throw new FileError(`'${name}' is ${dtype}, which safetensors cannot hold.`);
      return { name, tensor, dtype, shape, begin: 0, end: 0 };
    });
    // Largest element size first, so that every tensor is aligned for readers that map the file.
    const inOrder = entries.toSorted((a, b) => itemSize(b.dtype) - itemSize(a.dtype));
    let offset = 0;
    for (const entry of inOrder) {
      entry.begin = offset;
      offset += byteLength(entry.dtype, entry.shape);
      entry.end = offset;
    }
    const described = entries.map(({ name, dtype, shape, begin, end }): [string, unknown] => {
      return [name, { dtype: names[dtype], shape, data_offsets: [begin, end] }];
    });
    const noted = Object.assign({ [checksumKey]: noChecksum }, metadata, { [checksumKey]: noChecksum });
    const text = JSON.stringify(Object.fromEntries([['__metadata__', noted], ...described]));
    const padded = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(padded.length));
    let checksum = 0;
    const write = (bytes: Uint8Array) => {
      checksum = continued(bytes, checksum);
      output.write(bytes);
    };
    write(length);
    write(padded);
    for (const { name, tensor } of inOrder) write(naming(name, () => bytesOf(tensor)));
    output.replace(withChecksum(checksum), length.length + (placeOfChecksum(padded) as number));
  });
}

/**
 * Reads a whole file. Throws FileError if it is truncated or inconsistent, and DamagedError if it has a checksum of
 * {@link saveSafetensors} that does not match.
 */
export function loadSafetensors(file: string): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  checkCall('loadSafetensors', ['file: text'], undefined, arguments);
  const opened = openSafetensors(file);
  try {
    opened.verify();
    const tensors: Record<string, Tensor> = scope(() =>
      Object.fromEntries(opened.names.map((name) => [name, opened.get(name)])),
    );
    return { tensors, metadata: { ...opened.metadata } };
  } finally {
    opened.close();
  }
}

/**
 * Opens a file and reads only its header. Tensors are read on demand; only {@link SafetensorsFile.verify} compares the
 * checksum.
 */
export function openSafetensors(file: string): SafetensorsFile {
  checkCall('openSafetensors', ['file: text'], undefined, arguments);
  return reading(file, () => {
    const input = new Input(file);
    try {
      return new SafetensorsFile(file, input);
    } catch (error) {
      input.close();
      throw error;
    }
  });
}

/** An open file; see {@link openSafetensors}. */
export class SafetensorsFile {
  /** The names of the tensors, in the order of the header. */
  readonly names: readonly string[];
  /** Metadata texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #places: Map<string, Place>;
  /** Offset of the checksum's digits in the file. */
  readonly #checksum: number | undefined;

  /** @internal */
  constructor(
    private readonly file: string,
    private readonly input: Input,
  ) {
    const { header, start, checksum } = readHeader(input);
    const entries = Object.entries(header);
    const { [checksumKey]: digits, ...metadata } = metadataOf(entries.find(([name]) => name === '__metadata__')?.[1]);
    this.metadata = metadata;
    if (digits !== undefined && checksum === undefined)
      throw new DamagedError('it is damaged: its checksum is not 8 hexadecimal digits. Copy or write it again.');
    this.#checksum = digits === undefined ? undefined : checksum;
    this.#places = new Map(
      entries
        .filter(([name]) => name !== '__metadata__')
        .map(([name, entry]) => [name, placeOf(name, entry, start, input.size)]),
    );
    this.names = [...this.#places.keys()];
    checkCover([...this.#places.values()], start, input.size);
  }

  /** Returns shape and dtype of a tensor without reading it. */
  describe(name: string): SafetensorsEntry {
    const { dtype, shape } = this.#place(name);
    return { dtype, shape };
  }

  /** Reads one tensor. Throws FileError if there is none of that name. */
  get(name: string): Tensor {
    const { dtype, shape, begin } = this.#place(name);
    return reading(this.file, () => filledTensor(dtype, shape, (bytes) => this.input.read(bytes, begin)));
  }

  /**
   * Verifies the checksum of the whole file; false if it has none, as in files of other programs. Throws DamagedError
   * if it does not match.
   */
  verify(): boolean {
    const place = this.#checksum;
    if (place === undefined) return false;
    reading(this.file, () => checkWhole(this.input, place));
    return true;
  }

  /** Closes the file; tensors that were read remain valid. */
  close(): void {
    this.input.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (!place) throw new FileError(`${this.file} holds no tensor '${name}'.`);
    return place;
  }
}

function readHeader(input: Input): { header: object; start: number; checksum: number | undefined } {
  const length = input.size >= 8 ? Number(input.take(0, 8).readBigUInt64LE()) : Number.NaN;
  if (!(length <= largestHeader && 8 + length <= input.size))
    throw new FileError('it is not a safetensors file, or it is truncated.');
  const bytes = input.take(8, length);
  let header: unknown;
  try {
    header = parseStrict(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FileError(
      `it is not a safetensors file, or damaged: its header is not valid JSON (${messageOf(error)}).`,
    );
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new FileError('it is not a safetensors file: its header is not a JSON object.');
  const place = placeOfChecksum(bytes);
  return { header, start: 8 + length, checksum: place === undefined ? undefined : 8 + place };
}

function metadataOf(value: unknown = {}): Record<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
  if (!entries?.every(([, text]) => typeof text === 'string'))
    throw new FileError('its metadata are not texts by name.');
  return Object.fromEntries(entries);
}

function placeOf(name: string, entry: unknown, start: number, size: number): Place {
  const { dtype: code, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = dtypes.get(code as string);
  const [first, last] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  if (!dtype || !Array.isArray(shape) || !shape.every(isSize) || !isSize(first) || !isSize(last))
    throw new FileError(`the header entry of '${name}' is not valid.`);
  const bytes = byteLength(dtype, shape);
  if (last - first !== bytes || start + last > size) {
    throw new FileError(
      `'${name}' needs ${bytes} bytes at ${first}, but the file does not hold them; it is truncated or damaged.`,
    );
  }
  return { dtype, shape, begin: start + first, end: start + last };
}

/** The format requires that every byte belongs to exactly one tensor. */
function checkCover(places: Place[], start: number, size: number): void {
  let position = start;
  for (const { begin, end } of places.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) throw new FileError('its tensors overlap, or leave gaps; it is damaged.');
    position = end;
  }
  if (position !== size) throw new FileError(`${size - position} of its bytes belong to no tensor; it is damaged.`);
}
