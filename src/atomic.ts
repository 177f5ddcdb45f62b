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
 * Makes a file whole or not at all: `body` writes to a descriptor next to its place, which is flushed to disk and then
 * renamed.
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

/** As {@link replaceFile}, for a body that waits between its writes. */
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
 * Why nothing can be made at `path`: what stands above it is a file, or may not be written to. Undefined where nothing
 * speaks against it.
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
    // Below a file nothing exists; the file itself is found further up.
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOENT' || code === 'ENOTDIR') && above !== path) return existingAbove(above);
    throw error;
  }
}
