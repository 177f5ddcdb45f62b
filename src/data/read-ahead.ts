import { DataError } from '../errors.js';

export interface ReadAheadSetup {
  steps: number;
  /** Images made concurrently. 0: one at a time, and only when their step is requested. */
  workers: number;
  /** Number of batches made ahead of their step. */
  ahead: number;
  /** Bytes of one image. */
  size: number;
  imagesOf(step: number): readonly number[];
  /** Called with the images of a batch before they are decoded. */
  expect?(images: readonly number[]): void;
  /** Called with announced images that will not be made after all. */
  forget?(images: readonly number[]): void;
  /** Writes an image into memory that other threads can access. */
  make(image: number, target: Uint8Array): Promise<unknown>;
}

interface Pending {
  bytes: Uint8Array;
  /** Images that are not made yet. */
  missing: Set<number>;
  done: Promise<void>;
  whole: boolean;
  canceled: boolean;
}

/** Makes batches of bytes before they are requested: at most `ahead` + 1 of them, with a fixed number of workers. */
export class ReadAhead {
  readonly #setup: ReadAheadSetup;
  readonly #batches = new Map<number, Pending>();
  readonly #queue: (() => Promise<void>)[] = [];
  /** Memory of finished batches that were dropped; nothing writes to it any more, so it can be reused. */
  readonly #spare: Uint8Array[] = [];
  /** Images in progress, the earliest first. */
  readonly #underWay = new Set<{ image: number }>();
  #running = 0;

  constructor(setup: ReadAheadSetup) {
    this.#setup = setup;
  }

  /**
   * Waits for a batch and the `more` batches after it, drops earlier ones, and starts on the later ones. Rethrows
   * errors from making an image.
   */
  async ready(step: number, more = 0): Promise<void> {
    const { ahead, workers, steps } = this.#setup;
    const awaited = Math.min(step + more, steps - 1);
    const last = Math.min(workers > 0 ? awaited + ahead : awaited, steps - 1);
    for (const known of [...this.#batches.keys()]) if (known < step || known > last) this.#drop(known);
    for (let next = step; next <= last; next++) if (!this.#batches.has(next)) this.#start(next);
    for (let next = step; next <= awaited; next++) await this.#batches.get(next)?.done;
  }

  /** Returns the bytes of a batch that is ready. */
  take(step: number): Uint8Array {
    const batch = this.#batches.get(step);
    if (!batch?.whole) throw new DataError(`Batch ${step} is not decoded yet: await loader.ready(${step}) before it.`);
    return batch.bytes;
  }

  /**
   * Returns the image that a batch waits for, and how many of its images are missing. That is its earliest image in
   * progress; if none has started, the image of another batch that occupies the workers. Undefined if nothing is
   * missing.
   */
  waitsFor(step: number): { image: number; missing: number } | undefined {
    const missing = this.#batches.get(step)?.missing ?? new Set();
    const begun = [...this.#underWay].map(({ image }) => image);
    const image = begun.find((one) => missing.has(one)) ?? begun[0] ?? [...missing][0];
    return image === undefined || missing.size === 0 ? undefined : { image, missing: missing.size };
  }

  /** The number of batches that are held or in progress. */
  get held(): number {
    return this.#batches.size;
  }

  cancel(): void {
    for (const step of [...this.#batches.keys()]) this.#drop(step);
  }

  #drop(step: number): void {
    const batch = this.#batches.get(step);
    if (!batch) return;
    batch.canceled = true;
    this.#batches.delete(step);
    if (batch.missing.size > 0) this.#setup.forget?.([...batch.missing]);
    if (batch.whole) this.#spare.push(batch.bytes);
  }

  #start(step: number): void {
    const { imagesOf, size } = this.#setup;
    const images = imagesOf(step);
    this.#setup.expect?.(images);
    const batch: Pending = {
      bytes: this.#memory(images.length * size),
      missing: new Set(images),
      done: Promise.resolve(),
      whole: false,
      canceled: false,
    };
    const jobs = images.map((image, i) =>
      this.#enqueue(async () => {
        if (batch.canceled) throw new DataError(`Batch ${step} was given up for another one.`);
        await this.#make(image, batch.bytes.subarray(i * size, (i + 1) * size));
        batch.missing.delete(image);
      }),
    );
    batch.done = Promise.all(jobs).then(
      () => {
        batch.whole = true;
      },
      (error: unknown) => {
        batch.canceled = true;
        throw error;
      },
    );
    // The error is thrown to the caller that requests the batch, not before.
    batch.done.catch(() => {});
    this.#batches.set(step, batch);
  }

  #memory(length: number): Uint8Array {
    const spare = this.#spare.pop();
    return spare?.length === length ? spare : new Uint8Array(new SharedArrayBuffer(length));
  }

  async #make(image: number, target: Uint8Array): Promise<void> {
    const entry = { image };
    this.#underWay.add(entry);
    try {
      await this.#setup.make(image, target);
    } finally {
      this.#underWay.delete(entry);
    }
  }

  #enqueue(job: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push(() => job().then(resolve, reject));
      this.#pump();
    });
  }

  #pump(): void {
    const limit = Math.max(1, this.#setup.workers);
    while (this.#running < limit) {
      const job = this.#queue.shift();
      if (!job) return;
      this.#running++;
      void job().finally(() => {
        this.#running--;
        this.#pump();
      });
    }
  }
}
