/**
 * Zip archives of stored entries whose contents begin at multiples of 64 bytes, so that they can be mapped into memory.
 */
import { continued } from './checksum.js';
import type { Sink } from './output.js';

const alignment = 64;
// PyTorch uses this extra field for padding.
const paddingField = 0x4246;
const zip64Field = 1;
const utf8Names = 0x0800;
// 1980-01-01, the format's first day: a fixed date, so that equal contents produce identical files.
const date = 0x0021;

interface Written {
  name: Buffer;
  crc: number;
  size: number;
  offset: number;
}

/** Writes entries one by one; `finish` writes the directory. */
export class ZipWriter {
  readonly #entries: Written[] = [];

  /** `limit`: sizes, offsets and counts of at least this value use the zip64 format. */
  constructor(
    private readonly output: Sink,
    private readonly limit = 0xffffffff,
  ) {}

  /** Writes one entry; `parts` are concatenated to its content. */
  add(name: string, ...parts: Uint8Array[]): void {
    const entry: Written = {
      name: Buffer.from(name),
      crc: parts.reduce((crc, part) => continued(part, crc), 0),
      size: parts.reduce((sum, part) => sum + part.byteLength, 0),
      offset: this.output.position,
    };
    this.#entries.push(entry);
    this.output.write(this.#localHeader(entry));
    for (const part of parts) this.output.write(part);
  }

  finish(): void {
    const start = this.output.position;
    for (const entry of this.#entries) this.output.write(this.#directoryHeader(entry));
    const end = this.output.position;
    const count = this.#entries.length;
    const wide = count >= Math.min(this.limit, 0xffff) || end >= this.limit;
    if (wide) this.output.write(zip64End(count, start, end));
    const record = Buffer.alloc(22);
    record.writeUInt32LE(0x06054b50, 0);
    record.writeUInt16LE(wide ? 0xffff : count, 8);
    record.writeUInt16LE(wide ? 0xffff : count, 10);
    record.writeUInt32LE(wide ? 0xffffffff : end - start, 12);
    record.writeUInt32LE(wide ? 0xffffffff : start, 16);
    this.output.write(record);
  }

  #localHeader({ name, crc, size, offset }: Written): Buffer {
    const wide = size >= this.limit;
    const sizes = wide ? field(zip64Field, longs(size, size)) : Buffer.alloc(0);
    const before = offset + 30 + name.length + sizes.length + 4;
    const padding = field(paddingField, Buffer.alloc((alignment - (before % alignment)) % alignment));
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(wide ? 45 : 20, 4);
    header.writeUInt16LE(utf8Names, 6);
    header.writeUInt16LE(date, 12);
    header.writeUInt32LE(crc, 14);
    header.writeUInt32LE(wide ? 0xffffffff : size, 18);
    header.writeUInt32LE(wide ? 0xffffffff : size, 22);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(sizes.length + padding.length, 28);
    return Buffer.concat([header, name, sizes, padding]);
  }

  #directoryHeader({ name, crc, size, offset }: Written): Buffer {
    const wide = size >= this.limit || offset >= this.limit;
    const extra = wide ? field(zip64Field, longs(size, size, offset)) : Buffer.alloc(0);
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(45, 4);
    header.writeUInt16LE(wide ? 45 : 20, 6);
    header.writeUInt16LE(utf8Names, 8);
    header.writeUInt16LE(date, 14);
    header.writeUInt32LE(crc, 16);
    header.writeUInt32LE(wide ? 0xffffffff : size, 20);
    header.writeUInt32LE(wide ? 0xffffffff : size, 24);
    header.writeUInt16LE(name.length, 28);
    header.writeUInt16LE(extra.length, 30);
    header.writeUInt32LE(wide ? 0xffffffff : offset, 42);
    return Buffer.concat([header, name, extra]);
  }
}

/** Builds the zip64 end of the directory, and its locator. */
function zip64End(count: number, start: number, end: number): Buffer {
  const record = Buffer.alloc(24);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(end), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, longs(count, count, end - start, start), locator]);
}

function longs(...values: number[]): Buffer {
  return Buffer.from(BigUint64Array.from(values, BigInt).buffer);
}

function field(id: number, content: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(content.length, 2);
  return Buffer.concat([head, content]);
}
