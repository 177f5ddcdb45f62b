/** Reading whole files, with errors that name the file and what was expected. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DataError, messageOf } from '../errors.js';

/** The bytes of the first of `candidates` that exists; `.gz` is unpacked. */
export async function readFirst(candidates: string[]): Promise<{ file: string; bytes: Buffer }> {
  const file = candidates.find((candidate) => existsSync(candidate));
  if (!file)
    throw new DataError(
      `${candidates[0]} is missing${candidates.length > 1 ? ` (nor is there ${candidates.slice(1).join(' or ')})` : ''}.`,
    );
  const bytes = await readFile(file);
  if (!file.endsWith('.gz')) return { file, bytes };
  try {
    return { file, bytes: await promisify(gunzip)(bytes) };
  } catch (error) {
    throw new DataError(`${file} is not a whole gzip file: ${messageOf(error)}.`, { cause: error });
  }
}

/** Unpacks .xz files, given as parts in their order, with the `xz` tool. */
export async function readXz(parts: string[]): Promise<Buffer> {
  const packed = Buffer.concat(await Promise.all(parts.map((part) => readFile(part))));
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
