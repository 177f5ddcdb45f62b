/**
 * Where the files of a tar archive lie, from its headers alone: nothing else is read, so that archives may be larger
 * than memory.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { DataError } from '../../errors.js';
import { openFile } from '../files.js';

export interface TarEntry {
  /** Path inside the archive. */
  name: string;
  /** Where its bytes begin. */
  offset: number;
  size: number;
  /** Its bytes, where they were asked for. */
  content?: Buffer;
}

const block = 512;
/** Of a name, and of a pax header; those that programs write have some hundreds of bytes. */
const largestHeader = 2 ** 20;

/** A link of an archive to another of its files. */
interface TarLink {
  name: string;
  target: string;
}

/** Bytes of a file that somebody wants. */
export interface Wanted {
  offset: number;
  length: number;
}

/**
 * Something that is found out about a file from a few of its bytes: it yields those that it wants, and is given them,
 * fewer where the file ends. So one reader serves files on this machine and on others.
 */
export type Reading<T> = Generator<Wanted, T, Buffer>;

/** Does a reading of a file on this machine. Throws DataError. */
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
  /** Called for links to files outside of the archive. */
  onBroken?(name: string): void;
  /** Whether the bytes of a file are wanted as well. */
  withContent?(name: string, size: number): boolean;
}

/**
 * The plain files of an archive (ustar, GNU and pax) of `whole` bytes, and links to them as files of their own; what
 * links elsewhere is left out. Throws DataError where it is not an archive, damaged, or cut off.
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
  // What the headers before a file's own say of it.
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

// Headers that say something of the file after them.
const sayingKinds = ['L', 'K', 'x', 'g'];
// A file, as old archives have it, and in one piece.
const plainKinds = ['0', '\0', '7'];
const [hardLink, symbolicLink] = ['1', '2'];
const linkKinds = [hardLink, symbolicLink];

/** Where a link leads inside the archive: a symbolic one from its own folder, a hard one from the top. */
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
      // A link may lead to one that stands before it.
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

/** The sum of all bytes, those of the checksum itself taken as blanks. */
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
 * Octal digits, or for large files a binary number behind a set first bit. Undefined where it is neither, or negative.
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

/** Of a pax header, in decimal digits. */
const sizeOf = (digits: string): number | undefined => (/^\d{1,15}$/.test(digits) ? Number(digits) : undefined);

/** What of a pax header is used; its records are `<length> <key>=<value>\n`. Undefined where it is none. */
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
