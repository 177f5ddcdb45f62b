import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { FileError } from '../errors.js';

// The system rejects single reads of 2 GiB and more.
const largestRead = 2 ** 30;
const partSize = 2 ** 20;

/** A file that is read in parts by position. */
export class Input {
  readonly size: number;
  #descriptor: number | undefined;

  constructor(path: string) {
    // Non-blocking, because opening a pipe would otherwise wait for a writer.
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(this.#descriptor);
    this.size = status.size;
    if (status.isFile()) return;
    this.close();
    throw new FileError('it is not a file.');
  }

  /** Fills `into` with the bytes that start at `position`. */
  read(into: Uint8Array, position: number): void {
    if (this.#descriptor === undefined) throw new FileError('it was closed.');
    this.#check(position, into.byteLength);
    for (let done = 0; done < into.byteLength; ) {
      const length = Math.min(into.byteLength - done, largestRead);
      const count = readSync(this.#descriptor, into, done, length, position + done);
      if (count === 0) throw new FileError('it became shorter while it was read.');
      done += count;
    }
  }

  /** Returns `length` bytes from `position` in a new buffer. */
  take(position: number, length: number): Buffer {
    this.#check(position, length);
    const bytes = Buffer.from(new ArrayBuffer(length));
    this.read(bytes, position);
    return bytes;
  }

  /** Yields the bytes from `position` to `end` in parts; each part is valid only until the next one. */
  *parts(position = 0, end = this.size): Generator<Buffer> {
    const part = Buffer.allocUnsafe(Math.min(partSize, Math.max(0, end - position)));
    for (let at = position; at < end; at += part.length) {
      const bytes = part.subarray(0, Math.min(part.length, end - at));
      this.read(bytes, at);
      yield bytes;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(position: number, length: number): void {
    const inside = [position, length].every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!inside || position + length > this.size)
      throw new FileError(`it is truncated or damaged: it should hold ${length} bytes at ${position}.`);
  }
}
