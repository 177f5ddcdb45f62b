/** Reads whole files, with errors that name the file and what was expected. */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, openSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { DataError, messageOf } from '../errors.js';

/**
 * Runs `action` on a regular file. Throws DataError naming it if it is not one, as reading a pipe would block forever,
 * or if it cannot be read.
 */
function withFile<T>(file: string, action: () => T): T {
  let found: Stats | undefined;
  try {
    found = statSync(file);
    if (found.isFile()) return action();
  } catch (error) {
    throw unreadable(file, error);
  }
  throw irregular(file, found);
}

const unreadable = (file: string, error: unknown): DataError =>
  new DataError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error });

const irregular = (file: string, found: Stats): DataError =>
  new DataError(`${file} is ${found.isDirectory() ? 'a folder' : 'not a regular file'}, where a file should be.`);

/** Opens a file for reading and returns its descriptor. Throws DataError. */
export const openFile = (file: string): number => withFile(file, () => openSync(file, 'r'));

/** Reads all bytes of a file. Throws DataError. */
export const readWhole = (file: string): Buffer => withFile(file, () => readFileSync(file));

/** Like {@link readWhole}, on another thread, so that a disk that does not answer does not block this one. */
async function readWholeAside(file: string): Promise<Buffer> {
  let found: Stats | undefined;
  try {
    found = await stat(file);
    if (found.isFile()) return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  throw irregular(file, found);
}

/** File systems that are stored on this machine, as numbered in Linux (linux/magic.h and the file systems' sources). */
const storedHere = new Set([
  ...[0xef53, 0x58465342, 0x9123683e, 0x2fc12fc1, 0xf2f52010], // ext4, XFS, Btrfs, ZFS, F2FS
  ...[0x01021994, 0x858458f6, 0x794c7630, 0x73717368], // tmpfs, ramfs, overlayfs, SquashFS
]);

/**
 * Returns the function that reads whole files below `folder`: on this thread from a local disk, because handing a small
 * file to another thread takes longer than reading it from the page cache; on another thread from a network share,
 * which can stall.
 */
export function readerBelow(folder: string): (file: string) => Promise<Buffer> {
  return storedHere.has(statfsSync(folder).type) ? async (file) => readWhole(file) : readWholeAside;
}

/** Reads the lines of a text file. Throws DataError. */
export const linesOf = (file: string): string[] => readWhole(file).toString('utf8').trim().split(/\r?\n/);

/** The most bytes that a header may announce. */
export const largestAnnounced = 2 ** 30;
/** The most bytes that an .xz file, which announces no length, may unpack to; CIFAR's largest has 147 MiB. */
const largestUnpacked = 2 ** 28;

/**
 * Reads the first of `candidates` that exists. `.gz` is unpacked up to the length that `announced` reads from the first
 * bytes of the content; it returns undefined until it has enough of them. Throws DataError.
 */
export async function readFirst(
  candidates: string[],
  announced: (file: string, start: Buffer) => number | undefined,
): Promise<{ file: string; bytes: Buffer }> {
  const file = candidates.find((candidate) => existsSync(candidate));
  if (!file)
    throw new DataError(
      `${candidates[0]} is missing${candidates.length > 1 ? ` (nor is there ${candidates.slice(1).join(' or ')})` : ''}.`,
    );
  if (!file.endsWith('.gz')) return { file, bytes: readWhole(file) };
  const content = createReadStream('', { fd: openFile(file) }).on('error', (error) => unpacked.destroy(error));
  const unpacked = content.pipe(createGunzip());
  try {
    return { file, bytes: await collected(file, unpacked, (start) => announced(file, start)) };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${file} is not a whole gzip file: ${messageOf(error)}.`, { cause: error });
  } finally {
    content.destroy();
    unpacked.destroy();
  }
}

/** Collects all bytes of a stream. Throws DataError if there are more than announced, or more than the limit. */
async function collected(
  file: string,
  stream: AsyncIterable<Buffer>,
  announced?: (start: Buffer) => number | undefined,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let [length, expected]: [number, number | undefined] = [0, undefined];
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (announced) expected ??= announced(chunks.length === 1 ? chunk : Buffer.concat(chunks));
    if (length > (expected ?? largestUnpacked))
      throw new DataError(
        expected === undefined
          ? `${file} unpacks to more than ${largestUnpacked / 2 ** 20} MiB. Unpack it yourself if that is right.`
          : `${file} unpacks to more than the ${expected} bytes that its header announces. Copy it again.`,
      );
  }
  return Buffer.concat(chunks, length);
}

/** Unpacks .xz files, given as parts in their order, with the `xz` tool. Throws DataError. */
export async function readXz(parts: string[]): Promise<Buffer> {
  const packed = Buffer.concat(parts.map(readWhole));
  const file = parts[0] as string;
  const child = spawn('xz', ['-dc', '--memlimit-decompress=1GiB'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let trouble = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (trouble.length < 1000) trouble += chunk;
  });
  // A damaged file makes xz close its input early; its exit code says why.
  child.stdin.on('error', () => {});
  child.stdin.end(packed);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // If the content is rejected first, nothing awaits this promise.
  ended.catch(() => {});
  try {
    const bytes = await collected(file, child.stdout);
    const code = await ended;
    if (code === 0) return bytes;
    throw new DataError(`${file} cannot be unpacked: ${trouble.trim() || `xz ended with ${code}`}.`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DataError(
      `${file} needs the xz tool, which is not installed. Install xz-utils, or unpack the file yourself.`,
    );
  } finally {
    child.kill();
  }
}
