/**
 * Checks the pages of a parquet column before they are read, because hyparquet allocates whatever their headers
 * announce. The headers use Thrift's compact protocol.
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { AsyncBuffer, ColumnMetaData, Compressors } from 'hyparquet';

/** The most bytes that a page may unpack to. */
const largestPage = 2 ** 28;
/** The most bytes that the pages of a column may unpack to, in one row group. */
const largestColumn = 2 ** 33;
/** The most values that a page may have. */
const mostValues = 2 ** 24;
/** The most bytes of a page header, which may hold the minimum and maximum value of its page. */
const largestHeader = 2 ** 24;
const usualHeader = 4096;

const bounded = (length: number) => ({ maxOutputLength: Math.max(1, length) });

let loaded: Promise<Compressors> | undefined;

/**
 * Loads decompressors that stop at the length that a page announces. Loaded on demand: Snappy's reserves gigabytes of
 * address space, which a process may not have.
 */
export function compressors(): Promise<Compressors> {
  loaded ??= import('hyparquet-compressors').then(({ compressors: library, decompressZstd }) => ({
    ...library,
    GZIP: (input, length) => gunzipSync(input, bounded(length)),
    BROTLI: (input, length) => brotliDecompressSync(input, bounded(length)),
    ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  }));
  return loaded;
}

/**
 * Throws if the pages of a column are outside its part of the file, are too large, or do not have `rows` values,
 * counting null and nested ones.
 */
export async function checkPages(file: AsyncBuffer, column: ColumnMetaData, rows: number): Promise<void> {
  const { dictionary_page_offset: dictionary, data_page_offset: data, total_compressed_size: size } = column;
  let left = Math.min(Number(column.total_uncompressed_size), largestColumn);
  const start = Number(dictionary || data);
  const end = start + Number(size);
  if (!(Number.isSafeInteger(start) && start > 0 && end > start && end <= file.byteLength))
    throw new Error('a column lies outside of the file.');
  let values = 0;
  for (let at = start; at < end; ) {
    const { type, unpacked, packed, count, length } = await headerAt(file, at, end);
    const fits = packed <= end - at - length && unpacked <= Math.min(left, largestPage) && count <= mostValues;
    if (!fits) throw new Error(`a page at byte ${at} cannot be as large as its header says.`);
    if (type === dictionaryPage && count > unpacked) throw new Error(`the dictionary at byte ${at} is too short.`);
    if (type !== dictionaryPage) values += count;
    left -= unpacked;
    at += length + packed;
  }
  if (values !== rows) throw new Error(`the pages of a column have ${values} values, and should have ${rows}.`);
}

interface PageHeader {
  type: number;
  unpacked: number;
  packed: number;
  /** Number of values, including nulls. */
  count: number;
  /** Bytes of the header. */
  length: number;
}

const dictionaryPage = 2;
/** The field ids of the three kinds of page headers: data, dictionary, data version 2. */
const pageFields = new Map([
  [0, 5],
  [dictionaryPage, 7],
  [3, 8],
]);

async function headerAt(file: AsyncBuffer, at: number, end: number): Promise<PageHeader> {
  for (let window = usualHeader; ; window *= 16) {
    const bytes = Buffer.from(await file.slice(at, Math.min(at + window, end)));
    const thrift = new Thrift(bytes);
    const fields = thrift.struct();
    if (fields) return pageHeader(fields, thrift.position);
    if (at + window >= end || window > largestHeader)
      throw new Error(`the header of a page at byte ${at} is not valid.`);
  }
}

function pageHeader(fields: Fields, length: number): PageHeader {
  const number = (value: unknown): number => {
    if (Number.isInteger(value) && (value as number) >= 0) return value as number;
    throw new Error('the header of a page has no valid size.');
  };
  const type = number(fields.get(1));
  const page = fields.get(pageFields.get(type) ?? 0);
  const count = number(page instanceof Map ? page.get(1) : undefined);
  if (type === 3) checkLevels(page as Fields, number(fields.get(2)), number(fields.get(3)));
  return { type, unpacked: number(fields.get(2)), packed: number(fields.get(3)), count, length };
}

/** In version 2, the levels precede the values and are not compressed. */
function checkLevels(page: Fields, unpacked: number, packed: number): void {
  const [definition, repetition, nulls] = [5, 6, 2].map((field) => Number(page.get(field) ?? 0)) as [
    number,
    number,
    number,
  ];
  const levels = definition + repetition;
  if (!(definition >= 0 && repetition >= 0 && nulls >= 0 && levels <= Math.min(unpacked, packed)))
    throw new Error('the header of a page has no valid levels.');
}

type Fields = Map<number, unknown>;

/** Reads Thrift structs; skips fields that are neither integers nor structs. */
class Thrift {
  position = 0;

  constructor(private readonly bytes: Buffer) {}

  /** Undefined if the bytes end before the struct does. */
  struct(depth = 0): Fields | undefined {
    const fields: Fields = new Map();
    let id = 0;
    for (;;) {
      const byte = this.#byte();
      if (byte === undefined || depth > 8) return undefined;
      if (byte === 0) return fields;
      id = byte >> 4 ? id + (byte >> 4) : (this.#zigzag() ?? Number.NaN);
      const value = this.#value(byte & 15, depth);
      if (value === undefined) return undefined;
      fields.set(id, value);
    }
  }

  #value(type: number, depth: number): unknown {
    switch (type) {
      case 1:
      case 2:
        return type === 1;
      case 3:
        return this.#byte();
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        return this.#skip(8);
      case 8:
        return this.#skip(this.#varint());
      case 12:
        return this.struct(depth + 1);
      default:
        // Page headers never contain lists or maps.
        return undefined;
    }
  }

  #byte(): number | undefined {
    return this.bytes[this.position++];
  }

  #skip(length: number | undefined): true | undefined {
    if (length === undefined || length > this.bytes.length - this.position) return undefined;
    this.position += length;
    return true;
  }

  #varint(): number | undefined {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.#byte();
      if (byte === undefined) return undefined;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return undefined;
  }

  #zigzag(): number | undefined {
    const value = this.#varint();
    if (value === undefined) return undefined;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
