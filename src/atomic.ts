import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const temporaryFor = (file: string): string => `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;

/** Makes a file whole or not at all: `body` writes to a descriptor beside its place, which is flushed to disk and then renamed. */
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
