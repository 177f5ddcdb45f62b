/** Predicts images that arrive one by one: decodes them in parallel and runs them in batches. */
import { pixelsFor } from '../data/decode.js';
import { normalizedImages } from '../data/evaluation-view.js';
import { FileError } from '../errors.js';
import { asyncScope, fromArray, type Tensor } from '../tensor/index.js';
import { pixelsOf, type SentImage } from './image-input.js';
import type { Runtime } from './runtime.js';

/** A class that an image may belong to, with its probability. */
export interface Prediction {
  label: string;
  /** The class number. */
  index: number;
  probability: number;
}

export interface EngineOptions {
  topK: number;
  batchSize: number;
  maxDelayMs: number;
  workers: number;
}

interface Job {
  image: SentImage;
  resolve(predictions: Prediction[]): void;
  reject(error: unknown): void;
}

/** A decoded image, and the time at which it was decoded. */
interface Decoded extends Job {
  pixels: Uint8Array;
  since: number;
}

export class Engine {
  readonly #waiting: Job[] = [];
  readonly #decoded: Decoded[] = [];
  /** Memory of processed images, for reuse. */
  readonly #spare: Uint8Array[] = [];
  #decoding = 0;
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly runtime: Runtime,
    readonly options: EngineOptions,
  ) {}

  /** Returns the most likely classes, the most likely first. Rejects with DataError if decoding fails. */
  predict(image: SentImage): Promise<Prediction[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ image, resolve, reject });
      this.#advance();
    });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.runtime.dispose();
  }

  #advance(): void {
    const { workers, batchSize } = this.options;
    // Two batches ahead of the network suffice; more would only use memory.
    while (this.#decoding < workers && this.#decoding + this.#decoded.length < 2 * batchSize) {
      const job = this.#waiting.shift();
      if (!job) break;
      this.#decoding++;
      void this.#decode(job);
    }
    this.#consider();
  }

  async #decode(job: Job): Promise<void> {
    const { preprocessing } = this.runtime.card;
    const pixels = this.#spare.pop() ?? pixelsFor(...preprocessing.crop);
    try {
      await pixelsOf(job.image, preprocessing, pixels);
      this.#decoded.push({ ...job, pixels, since: performance.now() });
    } catch (error) {
      this.#spare.push(pixels);
      job.reject(error);
    } finally {
      this.#decoding--;
      this.#advance();
    }
  }

  /** Runs a batch if it is full, has waited `maxDelayMs`, or no other image is pending. */
  #consider(): void {
    const [first] = this.#decoded;
    if (this.#running || !first) return;
    const { batchSize, maxDelayMs } = this.options;
    const left = first.since + maxDelayMs - performance.now();
    const alone = this.#decoding === 0 && this.#waiting.length === 0;
    clearTimeout(this.#timer);
    if (alone || left <= 0 || this.#decoded.length >= batchSize) void this.#run(this.#decoded.splice(0, batchSize));
    else this.#timer = setTimeout(() => this.#consider(), left);
  }

  async #run(batch: Decoded[]): Promise<void> {
    this.#running = true;
    try {
      const found = await this.#predictions(batch.map(({ pixels }) => pixels));
      for (const [i, { resolve }] of batch.entries()) resolve(found[i] as Prediction[]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#spare.push(...batch.map(({ pixels }) => pixels));
    // Lets images that were decoded meanwhile join the next batch.
    await new Promise((resolve) => setImmediate(resolve));
    this.#running = false;
    this.#advance();
  }

  #predictions(images: Uint8Array[]): Promise<Prediction[][]> {
    const { runtime } = this;
    const { crop, mean, std } = runtime.card.preprocessing;
    const size = images[0]?.length ?? 0;
    const bytes = new Uint8Array(new SharedArrayBuffer(images.length * size));
    for (const [i, image] of images.entries()) bytes.set(image, i * size);
    return asyncScope(async () => {
      const pixels = fromArray(bytes, [images.length, ...crop, 3], { share: true });
      const normalized = normalizedImages(pixels, { mean, std }, runtime.device);
      return this.#likeliest(await runtime.run(normalized));
    });
  }

  /** Returns the most likely classes. For equal logits the lower class number comes first, as in evaluations. */
  #likeliest(logits: Tensor): Prediction[][] {
    const { card, file } = this.runtime;
    const { classes } = card;
    if (logits.ndim !== 2 || logits.shape[1] !== classes.length)
      throw new FileError(`${file} returns [${logits.shape.join(', ')}] for its ${classes.length} classes.`);
    if (!logits.isfinite().all().item())
      throw new FileError(
        `${file} returns NaN or Inf for an image: its weights are damaged. Train it again, or resume from an older checkpoint.`,
      );
    const topK = Math.min(this.options.topK, classes.length);
    const [, order] = logits.sort({ stable: true, dim: 1, descending: true });
    const indices = order.narrow(1, 0, topK);
    const probabilities = logits.to('float32').softmax(1).gather(1, indices).tolist() as number[][];
    return (indices.tolist() as number[][]).map((row, i) =>
      row.map((index, k) => ({
        label: classes[index] as string,
        index,
        probability: probabilities[i]?.[k] as number,
      })),
    );
  }
}
