/**
 * Checks a zip archive before a library that trusts it reads it: libtorch does not compare checksums, and a damaged
 * TorchScript file can end the process.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32, inflateRawSync } from 'node:zlib';
import { DamagedError, FileError } from './errors.js';

const part = 2 ** 20;
const [endMark, end64Mark, locatorMark] = [0x06054b50, 0x06064b50, 0x07064b50];
const [directoryMark, localMark] = [0x02014b50, 0x04034b50];
const [stored, deflated] = [0, 8];
const largestComment = 0xffff;
const largestDirectory = 2 ** 28;
// Only the network's code is compressed; its weights are stored uncompressed.
const largestText = 2 ** 28;
// The most bytes that deflate can expand one byte to.
const largestRatio = 1032;

type Read = (position: number, length: number) => Buffer;

interface Entry {
  name: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
}

/**
 * Compares the content of every entry with its CRC-32. Throws DamagedError if one differs, FileError if the file is not
 * a complete zip archive.
 */
export function checkZip(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const read: Read = (position, length) => {
      if (!(position >= 0 && length >= 0 && position + length <= size))
        throw new FileError('it is truncated or damaged: it ends before what its directory lists.');
      const bytes = Buffer.allocUnsafe(length);
      for (let done = 0; done < length; ) {
        const count = readSync(descriptor, bytes, done, length - done, position + done);
        if (count === 0) throw new FileError('it became shorter while it was read.');
        done += count;
      }
      return bytes;
    };
    let total = 0;
    for (const entry of entriesOf(read, size)) {
      total += entry.packed;
      // Overlapping entries could expand a small file to a huge size (zip bomb).
      if (total > size) throw new FileError('the entries of the archive are larger than the archive.');
      checkEntry(read, entry);
    }
  } finally {
    closeSync(descriptor);
  }
}

function* entriesOf(read: Read, size: number): Generator<Entry> {
  const { count, length, start } = directoryOf(read, size);
  if (length > largestDirectory) throw new FileError(`its directory of ${length} bytes is too large.`);
  const bytes = read(start, length);
  const names = new Set<string>();
  let at = 0;
  for (let number = 0; number < count; number++) {
    if (at + 46 > length || bytes.readUInt32LE(at) !== directoryMark) throw new FileError('its directory is damaged.');
    const lengths = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field)) as [number, number, number];
    const next = at + 46 + lengths[0] + lengths[1] + lengths[2];
    if (next > length) throw new FileError('its directory is damaged.');
    const name = bytes.toString('utf8', at + 46, at + 46 + lengths[0]);
    if (names.has(name)) throw new FileError(`'${name}' is twice in the archive.`);
    names.add(name);
    const extra = bytes.subarray(at + 46 + lengths[0], at + 46 + lengths[0] + lengths[1]);
    const [packed, unpacked, offset] = wide(extra, bytes, at);
    yield {
      ...{ name, packed, size: unpacked, offset },
      method: bytes.readUInt16LE(at + 10),
      crc: bytes.readUInt32LE(at + 16),
    };
    at = next;
  }
}

/** Returns the sizes and offset of an entry; values that do not fit 32 bits are in an extra field (zip64). */
function wide(extra: Buffer, bytes: Buffer, at: number): [packed: number, size: number, offset: number] {
  const plain = {
    size: bytes.readUInt32LE(at + 24),
    packed: bytes.readUInt32LE(at + 20),
    offset: bytes.readUInt32LE(at + 42),
  };
  const longs = fieldOf(extra, 1);
  let used = 0;
  const take = (value: number) => {
    if (value !== 0xffffffff) return value;
    if (used + 8 > longs.length) throw new FileError('its directory is damaged: a size is missing.');
    used += 8;
    return Number(longs.readBigUInt64LE(used - 8));
  };
  const size = take(plain.size);
  const packed = take(plain.packed);
  return [packed, size, take(plain.offset)];
}

function fieldOf(extra: Buffer, id: number): Buffer {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === id) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return Buffer.alloc(0);
}

function directoryOf(read: Read, size: number): { count: number; length: number; start: number } {
  const tailStart = Math.max(0, size - largestComment - 22);
  const tail = read(tailStart, size - tailStart);
  let at = tail.length - 22;
  while (at >= 0 && !(tail.readUInt32LE(at) === endMark && at + 22 + tail.readUInt16LE(at + 20) === tail.length)) at--;
  if (at < 0) throw new FileError('it is not a zip archive, or its end is missing.');
  const plain = {
    count: tail.readUInt16LE(at + 10),
    length: tail.readUInt32LE(at + 12),
    start: tail.readUInt32LE(at + 16),
  };
  if (plain.count !== 0xffff && plain.length !== 0xffffffff && plain.start !== 0xffffffff) return plain;
  const locator = read(tailStart + at - 20, 20);
  if (locator.readUInt32LE(0) !== locatorMark) return plain;
  const record = read(Number(locator.readBigUInt64LE(8)), 56);
  if (record.readUInt32LE(0) !== end64Mark) throw new FileError('its directory is damaged.');
  const [count, length, start] = [32, 40, 48].map((field) => Number(record.readBigUInt64LE(field)));
  return { count, length, start } as { count: number; length: number; start: number };
}

function checkEntry(read: Read, { name, method, crc, packed, size, offset }: Entry): void {
  const header = read(offset, 30);
  if (header.readUInt32LE(0) !== localMark) throw new FileError(`'${name}' in the archive has no header.`);
  const start = offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (method === stored ? size !== packed : method !== deflated || size > packed * largestRatio || size > largestText)
    throw new FileError(`'${name}' in the archive cannot be read: its size or method is not valid.`);
  const found = method === stored ? crcOf(read, start, size) : crc32(inflated(read(start, packed), name, size));
  if (found !== crc) throw new DamagedError(`it is damaged: the CRC-32 of '${name}' in it differs.`);
}

function crcOf(read: Read, start: number, size: number): number {
  let crc = 0;
  for (let at = 0; at < size; at += part) crc = crc32(read(start + at, Math.min(part, size - at)), crc);
  return crc;
}

function inflated(packed: Buffer, name: string, size: number): Buffer {
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, size) });
    if (content.length === size) return content;
  } catch {
    // Falls through to the same error.
  }
  throw new DamagedError(`it is damaged: '${name}' in it cannot be unpacked.`);
}
