import { writeSync } from 'node:fs';
import { replaceFile } from '../atomic.js';
import { writing } from './errors.js';

const largestWrite = 2 ** 30;

/** A destination of bytes, written part by part. */
export interface Sink {
  /** The number of bytes written so far. */
  readonly position: number;
  write(bytes: Uint8Array): void;
}

/** A file that is written part by part. */
export class Output implements Sink {
  position = 0;

  constructor(private readonly descriptor: number) {}

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength; ) {
      const length = Math.min(bytes.byteLength - done, largestWrite);
      done += writeSync(this.descriptor, bytes, done, length);
    }
    this.position += bytes.byteLength;
  }

  /** Overwrites bytes that were written before. */
  replace(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.byteLength; )
      done += writeSync(this.descriptor, bytes, done, bytes.byteLength - done, position + done);
  }
}

/** Writes a file part by part, atomically: either the whole file or nothing. */
export function writeAtomically(file: string, body: (output: Output) => void): void {
  writing(file, () => replaceFile(file, (descriptor) => body(new Output(descriptor))));
}
