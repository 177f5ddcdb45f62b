/** Reading a file on another machine piece by piece, in few requests. */
import type { Reading, Wanted } from '../formats/tar.js';

/** The first request, one that follows it at a distance, and the largest, in bytes. */
const [first, apart, largest] = [2 ** 16, 2 ** 14, 2 ** 22];
/** When so much was read, it shows whether it pays to leave out what lies between. */
const enough = 2 ** 18;

/** What was read of a file, and around it. Neighbors are read together, and more of them the longer that lasts. */
export class Window {
  #bytes: Buffer = Buffer.alloc(0);
  #begin = 0;
  #width = first;
  #fetched = 0;

  constructor(
    readonly size: number,
    private readonly read: (begin: number, length: number) => Promise<Uint8Array>,
  ) {}

  async at({ offset, length }: Wanted): Promise<Buffer> {
    const end = Math.min(offset + length, this.size);
    const known = this.#begin + this.#bytes.length;
    if (offset < this.#begin || end > known) {
      if (known > 0) this.#width = offset <= known + apart ? Math.min(2 * this.#width, largest) : apart;
      const wanted = Math.min(Math.max(length, this.#width), this.size - offset);
      const bytes = await this.read(offset, Math.max(0, wanted));
      [this.#bytes, this.#begin] = [Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), offset];
      this.#fetched += bytes.length;
    }
    return this.#bytes.subarray(offset - this.#begin, Math.max(0, end - this.#begin));
  }

  /** Whether most of what was passed was read. */
  get isDense(): boolean {
    return this.#fetched >= enough && 2 * this.#fetched > this.#begin;
  }
}

/** Does a reading of a file on another machine; undefined where `isOver` says so before its end. */
export async function readingAt<T>(
  window: Window,
  reading: (size: number) => Reading<T>,
  isOver: () => boolean,
): Promise<T | undefined> {
  const steps = reading(window.size);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    if (isOver()) return undefined;
    step = steps.next(await window.at(step.value));
  }
}
