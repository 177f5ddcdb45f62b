/** Reading whole files, with errors that name the file and what was expected. */
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DataError, messageOf } from '../errors.js';

/**
 * Does something with a file. Throws DataError naming it where it is none, or cannot be read: reading a pipe would wait
 * for ever.
 */
function withFile<T>(file: string, action: () => T): T {
  let found: Stats | undefined;
  try {
    found = statSync(file);
    if (found.isFile()) return action();
  } catch (error) {
    throw new DataError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
  throw new DataError(`${file} is ${found.isDirectory() ? 'a folder' : 'no regular file'}, where a file should be.`);
}

/** A descriptor to read a file by. Throws DataError. */
export const openFile = (file: string): number => withFile(file, () => openSync(file, 'r'));

/** All bytes of a file. Throws DataError. */
export const readWhole = (file: string): Buffer => withFile(file, () => readFileSync(file));

/** The lines of a text. Throws DataError. */
export const linesOf = (file: string): string[] => readWhole(file).toString('utf8').trim().split(/\r?\n/);

/** The bytes of the first of `candidates` that exists; `.gz` is unpacked. */
export async function readFirst(candidates: string[]): Promise<{ file: string; bytes: Buffer }> {
  const file = candidates.find((candidate) => existsSync(candidate));
  if (!file)
    throw new DataError(
      `${candidates[0]} is missing${candidates.length > 1 ? ` (nor is there ${candidates.slice(1).join(' or ')})` : ''}.`,
    );
  const bytes = readWhole(file);
  if (!file.endsWith('.gz')) return { file, bytes };
  try {
    return { file, bytes: await promisify(gunzip)(bytes) };
  } catch (error) {
    throw new DataError(`${file} is not a whole gzip file: ${messageOf(error)}.`, { cause: error });
  }
}

/** Unpacks .xz files, given as parts in their order, with the `xz` tool. */
export async function readXz(parts: string[]): Promise<Buffer> {
  const packed = Buffer.concat(parts.map(readWhole));
  return new Promise((resolve, reject) => {
    const child = spawn('xz', ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    let trouble = '';
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (trouble += chunk));
    child.on('error', () =>
      reject(
        new DataError(
          `${parts[0]} needs the xz tool, which is not installed. Install xz-utils, or unpack the file yourself.`,
        ),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new DataError(`${parts[0]} cannot be unpacked: ${trouble.trim() || `xz ended with ${code}`}.`));
    });
    // A damaged file makes xz close its input early; its exit code says why.
    child.stdin.on('error', () => {});
    child.stdin.end(packed);
  });
}
