/** Locates the files of a tar archive from its headers alone, so archives may be larger than memory. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { DataError } from '../../errors.js';
import { openFile } from '../files.js';

export interface TarEntry {
  /** Path inside the archive. */
  name: string;
  /** Byte offset of the content in the archive. */
  offset: number;
  size: number;
  /** The content, if it was requested. */
  content?: Buffer;
}

const block = 512;
/** The most bytes of a long name or a pax header; real ones have a few hundred. */
const largestHeader = 2 ** 20;

/** A link in an archive to another file in it. */
interface TarLink {
  name: string;
  target: string;
}

/** A range of bytes to read. */
export interface Wanted {
  offset: number;
  length: number;
}

/**
 * A parser that yields the byte ranges it needs and receives their bytes, fewer at the end of the file. So the same
 * parser works on local and remote files.
 */
export type Reading<T> = Generator<Wanted, T, Buffer>;

/** Runs a parser on a local file. Throws DataError. */
export function readingOf<T>(file: string, reading: (size: number) => Reading<T>): T {
  const descriptor = openFile(file);
  try {
    const steps = reading(fstatSync(descriptor).size);
    for (let step = steps.next(); ; ) {
      if (step.done) return step.value;
      const { offset, length } = step.value;
      const bytes = Buffer.alloc(length);
      step = steps.next(bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset)));
    }
  } finally {
    closeSync(descriptor);
  }
}

interface TarOptions {
  /** Called with the name of each link to a file outside of the archive. */
  onBroken?(name: string): void;
  /** Whether to read the content of a file as well. */
  withContent?(name: string, size: number): boolean;
}

/**
 * Lists the regular files of an archive (ustar, GNU and pax) of `whole` bytes. Links within the archive are listed as
 * files, others are left out. Throws DataError if it is not an archive, damaged, or truncated.
 */
export function* tarEntries(
  file: string,
  whole: number,
  { onBroken = () => {}, withContent = () => false }: TarOptions = {},
): Reading<TarEntry[]> {
  function* bytesAt(offset: number, length: number): Reading<Buffer> {
    const bytes = yield { offset, length };
    if (bytes.length !== length)
      throw new DataError(`${file} is cut off at byte ${offset + bytes.length}: copy it again.`);
    return bytes;
  }
  const entries: TarEntry[] = [];
  const links: TarLink[] = [];
  // Properties of the next file from extension headers.
  let said: { path?: string; linkpath?: string; size?: string } = {};
  for (let at = 0; at < whole; ) {
    const header = yield* bytesAt(at, block);
    if (header.every((byte) => byte === 0)) return [...entries, ...linked(entries, links, onBroken)];
    if (!isHeader(header)) throw new DataError(`${file} is not a tar archive, or damaged at byte ${at}.`);
    const name = said.path ?? nameIn(header);
    const kind = String.fromCharCode(header[156] as number);
    const size = said.size === undefined || sayingKinds.includes(kind) ? sizeIn(header) : sizeOf(said.size);
    if (size === undefined)
      throw new DataError(`${file} is damaged at byte ${at}: the size of ${name} is not valid. Copy the file again.`);
    const offset = at + block;
    at = offset + Math.ceil(size / block) * block;
    if (offset + size > whole) throw new DataError(`${file} is cut off in ${name}: copy it again.`);
    if (sayingKinds.includes(kind) && size > largestHeader)
      throw new DataError(`${file} is damaged at byte ${offset - block}: a header has ${size} bytes.`);
    if (kind === 'L') said.path = textOf(yield* bytesAt(offset, size));
    else if (kind === 'K') said.linkpath = textOf(yield* bytesAt(offset, size));
    else if (kind === 'x') {
      const records = paxRecords(yield* bytesAt(offset, size));
      if (!records) throw new DataError(`${file} is damaged at byte ${offset}: a pax header is not valid.`);
      said = { ...said, ...records };
    } else {
      if (plainKinds.includes(kind))
        entries.push({
          ...{ name, offset, size },
          ...(withContent(name, size) && { content: yield* bytesAt(offset, size) }),
        });
      if (linkKinds.includes(kind))
        links.push({ name, target: targetOf(name, kind, said.linkpath ?? textOf(header.subarray(157, 257))) });
      said = {};
    }
  }
  throw new DataError(`${file} is cut off: its end is missing.`);
}

// Kinds of headers that describe the file after them.
const sayingKinds = ['L', 'K', 'x', 'g'];
// Regular files: the current code, the one of old archives, and contiguous files.
const plainKinds = ['0', '\0', '7'];
const [hardLink, symbolicLink] = ['1', '2'];
const linkKinds = [hardLink, symbolicLink];

/** Returns the target of a link: symbolic links are relative to their folder, hard links to the archive's top. */
const targetOf = (name: string, kind: string, target: string): string =>
  posix.normalize(kind === symbolicLink ? posix.join(posix.dirname(name), target) : target);

function linked(entries: TarEntry[], links: TarLink[], onBroken: (name: string) => void): TarEntry[] {
  if (links.length === 0) return [];
  const places = new Map(entries.map((entry) => [posix.normalize(entry.name), entry]));
  const found: TarEntry[] = [];
  for (const { name, target } of links) {
    const entry = places.get(target);
    if (!entry) onBroken(name);
    else {
      const link = { ...entry, name };
      // A later link may point to this link.
      places.set(posix.normalize(name), link);
      found.push(link);
    }
  }
  return found;
}

const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
};

/** Verifies the checksum: the sum of all bytes, with the checksum field counted as blanks. */
function isHeader(header: Buffer): boolean {
  let sum = 8 * 32;
  for (const [i, byte] of header.entries()) if (i < 148 || i >= 156) sum += byte;
  const digits = textOf(header.subarray(148, 156)).trim();
  return /^[0-7]+$/.test(digits) && Number.parseInt(digits, 8) === sum;
}

function nameIn(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  const prefix = header.subarray(257, 262).toString('latin1') === 'ustar' ? textOf(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/**
 * Parses a size: octal digits, or for large files a binary number whose first bit is set. Undefined if invalid or
 * negative.
 */
function sizeIn(header: Buffer): number | undefined {
  const field = header.subarray(124, 136);
  const first = field[0] as number;
  if ((first & 0x80) === 0) {
    const digits = textOf(field).trim();
    return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : undefined;
  }
  const size = first === 0x80 && field.readUIntBE(1, 3) === 0 ? Number(field.readBigUInt64BE(4)) : -1;
  return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

/** Parses the size in a pax header, in decimal digits. */
const sizeOf = (digits: string): number | undefined => (/^\d{1,15}$/.test(digits) ? Number(digits) : undefined);

/** Parses the used records of a pax header, each `<length> <key>=<value>\n`. Undefined if it is invalid. */
function paxRecords(bytes: Buffer): Record<string, string> | undefined {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(32, at);
    const digits = bytes.subarray(at, Math.max(at, blank)).toString('latin1');
    const length = /^[1-9]\d{0,7}$/.test(digits) ? Number(digits) : 0;
    if (length <= digits.length + 1 || at + length > bytes.length) return undefined;
    const [, key = '', value = ''] =
      bytes
        .subarray(blank + 1, at + length - 1)
        .toString('utf8')
        .match(/^([^=]*)=(.*)$/s) ?? [];
    if (['path', 'linkpath', 'size'].includes(key)) records[key] = value;
    at += length;
  }
  return records;
}
