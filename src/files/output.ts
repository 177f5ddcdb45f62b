import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { writing } from './errors.js';

const largestWrite = 2 ** 30;

/** A file that grows part by part. */
export class Output {
  /** How many bytes were written. */
  position = 0;

  constructor(private readonly descriptor: number) {}

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength; ) {
      const length = Math.min(bytes.byteLength - done, largestWrite);
      done += writeSync(this.descriptor, bytes, done, length);
    }
    this.position += bytes.byteLength;
  }
}

/** Writes a whole file or nothing, part by part: beside its place, flushed to disk, then renamed. */
export function writeAtomically(file: string, body: (output: Output) => void): void {
  writing(file, () => {
    const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
    const descriptor = openSync(temporary, 'w');
    try {
      try {
        body(new Output(descriptor));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}
