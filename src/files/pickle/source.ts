import { FileError } from '../../errors.js';

const windowSize = 65536;
const longestLine = 1024;

/** Sequential bytes from memory, or from a file through a small buffer. */
export class PickleSource {
  /** Position of the next byte. */
  position: number;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(
    private readonly read: (position: number, length: number) => Buffer,
    readonly size: number,
    position = 0,
  ) {
    this.position = position;
  }

  static of(bytes: Buffer): PickleSource {
    return new PickleSource((position, length) => bytes.subarray(position, position + length), bytes.length);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** Returns the next bytes, which are valid only until the next call. */
  take(length: number): Buffer {
    if (length > this.size - this.position) throw new FileError('it is truncated: its pickle does not end.');
    const begin = this.position - this.#start;
    this.position += length;
    if (begin + length <= this.#window.length) return this.#window.subarray(begin, begin + length);
    this.#start += begin;
    this.#window = this.read(this.#start, Math.min(Math.max(length, windowSize), this.size - this.#start));
    return this.#window.subarray(0, length);
  }

  text(length: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError('a text in its pickle is not UTF-8.');
    }
  }

  line(): string {
    let line = '';
    for (let byte = this.byte(); byte !== 10; byte = this.byte()) {
      if (line.length > longestLine) throw new FileError('a name in its pickle is too long.');
      line += String.fromCharCode(byte);
    }
    return line;
  }
}
