import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Makes a file whole or not at all: `body` writes to a descriptor beside its place, which is flushed to disk and then renamed. */
export function replaceFile(file: string, body: (descriptor: number) => void): void {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
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
