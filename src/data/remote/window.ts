/** Reads a remote file piece by piece, in few requests. */
import type { Reading, Wanted } from '../formats/tar.js';

/** Bytes of the first request, of a request after a gap, and of the largest request. */
const [first, apart, largest] = [2 ** 16, 2 ** 14, 2 ** 22];
/** Bytes that must be read before {@link Window.isDense} can judge whether skipping the gaps pays off. */
const enough = 2 ** 18;

/** A buffered range of a remote file. Contiguous reads double the size of the requests. */
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

  /** Whether more than half of the file so far had to be downloaded. */
  get isDense(): boolean {
    return this.#fetched >= enough && 2 * this.#fetched > this.#begin;
  }
}

/** Runs a parser on a remote file; undefined if `isOver` returns true before it finishes. */
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
