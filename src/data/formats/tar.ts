/** Where the files of a tar archive lie, from its headers alone: nothing else is read, so that archives may be larger than memory. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DataError } from '../../errors.js';

export interface TarEntry {
  /** Path inside the archive. */
  name: string;
  /** Where its bytes begin. */
  offset: number;
  size: number;
}

const block = 512;

/** The plain files of an archive (ustar, GNU and pax long names). Throws DataError where it is no archive, or cut off. */
export function tarEntries(file: string): TarEntry[] {
  const descriptor = openSync(file, 'r');
  try {
    const { size: whole } = fstatSync(descriptor);
    const read = (offset: number, length: number) => {
      const bytes = Buffer.alloc(length);
      const got = readSync(descriptor, bytes, 0, length, offset);
      if (got !== length) throw new DataError(`${file} is cut off at byte ${offset + got}: copy it again.`);
      return bytes;
    };
    const entries: TarEntry[] = [];
    let longName: string | undefined;
    for (let at = 0; at < whole; ) {
      const header = read(at, block);
      if (header.every((byte) => byte === 0)) return entries;
      if (!isHeader(header)) throw new DataError(`${file} is no tar archive, or damaged at byte ${at}.`);
      const size = sizeIn(header);
      const offset = at + block;
      at = offset + Math.ceil(size / block) * block;
      if (offset + size > whole)
        throw new DataError(`${file} is cut off in ${longName ?? nameIn(header)}: copy it again.`);
      const kind = String.fromCharCode(header[156] as number);
      if (kind === 'L') longName = textOf(read(offset, size));
      else if (kind === 'x') longName = paxPath(read(offset, size)) ?? longName;
      else {
        if (kind === '0' || kind === '\0') entries.push({ name: longName ?? nameIn(header), offset, size });
        longName = undefined;
      }
    }
    throw new DataError(`${file} is cut off: its end is missing.`);
  } finally {
    closeSync(descriptor);
  }
}

const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
};

/** The sum of all bytes, those of the checksum itself taken as blanks. */
function isHeader(header: Buffer): boolean {
  let sum = 8 * 32;
  for (const [i, byte] of header.entries()) if (i < 148 || i >= 156) sum += byte;
  return Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8) === sum;
}

function nameIn(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  const prefix = header.subarray(257, 262).toString('latin1') === 'ustar' ? textOf(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** Octal digits, or for large files a binary number behind a set first bit. */
function sizeIn(header: Buffer): number {
  const field = header.subarray(124, 136);
  if (((field[0] as number) & 0x80) !== 0) return Number(field.readBigUInt64BE(4));
  return Number.parseInt(textOf(field).trim() || '0', 8);
}

/** `path` in the records of a pax header, each `<length> <key>=<value>\n`. */
function paxPath(bytes: Buffer): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(32, at);
    const length = Number.parseInt(bytes.subarray(at, blank).toString('latin1'), 10);
    if (!(length > 0)) return undefined;
    const record = bytes.subarray(blank + 1, at + length - 1).toString('utf8');
    if (record.startsWith('path=')) return record.slice('path='.length);
    at += length;
  }
  return undefined;
}
