import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

const temporaryFor = (file: string): string => `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;

/**
 * Writes a whole file or nothing: `body` writes to a temporary file in the same folder, which is flushed to disk and
 * then renamed.
 */
export function replaceFile(file: string, body: (descriptor: number) => void): void {
  const temporary = temporaryFor(file);
  const descriptor = openSync(temporary, 'w');
  try {
    try {
      body(descriptor);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes a whole file or nothing. */
export function writeFileAtomic(file: string, content: string): void {
  replaceFile(file, (descriptor) => writeFileSync(descriptor, content));
}

/** Like {@link replaceFile}, for an asynchronous body. */
export async function replaceFileAsync(file: string, body: (descriptor: number) => Promise<void>): Promise<void> {
  const temporary = temporaryFor(file);
  const descriptor = openSync(temporary, 'w');
  try {
    try {
      await body(descriptor);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Returns why nothing can be created at `path`: its nearest existing parent is a file or is not writable. Undefined if
 * nothing prevents it.
 */
export function obstacleTo(path: string): string | undefined {
  const above = existingAbove(resolve(path));
  if (!statSync(above).isDirectory()) return `${above} is a file, not a folder`;
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return `the folder ${above} cannot be written to`;
  }
}

function existingAbove(path: string): string {
  const above = dirname(path);
  try {
    statSync(above);
    return above;
  } catch (error) {
    // ENOTDIR: a parent is a file, which is found further up.
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOENT' || code === 'ENOTDIR') && above !== path) return existingAbove(above);
    throw error;
  }
}
