/** The caller's side of a classifier's thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DisposedError, ThreadError } from '../errors.js';
import type { z } from '../options.js';
import { type PackedError, revived } from '../train/packed-error.js';
import { threadFlags } from '../train/thread-flags.js';
import type { ReadyCard } from './card.js';
import type { classifierOptions } from './classifier.js';
import type { Prediction } from './engine.js';
import type { SentImage, sendable } from './image-input.js';

/** A request to the thread, which runs until it is told to close. */
export type Request = { type: 'predict'; id: number; image: SentImage } | { type: 'close' };
/** A reply of the thread. */
export type Answer =
  | { type: 'ready'; card: ReadyCard }
  | { type: 'refused'; error: PackedError }
  | { type: 'predicted'; id: number; predictions: Prediction[] }
  | { type: 'failed'; id: number; error: PackedError };

/** The data that the thread starts with. */
export interface ThreadTask {
  source: string;
  options: z.output<typeof classifierOptions>;
}

interface Pending {
  resolve(predictions: Prediction[]): void;
  reject(error: unknown): void;
}

// When run from sources, as in tests, the thread still needs the compiled file: Node cannot load TypeScript here.
const entry = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/predict/worker.js' : './worker.js',
  import.meta.url,
);

export class PredictThread {
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #next = 0;
  #closed = false;

  private constructor(
    readonly source: string,
    readonly card: ReadyCard,
    private readonly worker: Worker,
  ) {
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (answer: Answer) => this.#hear(answer));
    worker.on('error', (error) => this.#lose(error));
    worker.on('exit', (code) => this.#lose(gone(source, code)));
    worker.unref();
  }

  /** Starts the thread. Rejects with the thread's error if it cannot load the student. */
  static async open(source: string, options: ThreadTask['options']): Promise<PredictThread> {
    const worker = new Worker(entry, { workerData: { source, options } satisfies ThreadTask, ...threadFlags() });
    const answer = await firstAnswer(worker, source);
    if (answer.type === 'ready') return new PredictThread(source, answer.card, worker);
    await worker.terminate();
    throw answer.type === 'refused' ? revived(answer.error) : gone(source, 0);
  }

  predict({ sent, transfer }: ReturnType<typeof sendable>): Promise<Prediction[]> {
    if (this.#closed) return Promise.reject(new DisposedError(`The classifier of ${this.source} was closed.`));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage({ type: 'predict', id, image: sent } satisfies Request, transfer);
    });
  }

  /** Resolves when all pending requests are answered and the thread has ended. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.worker.ref();
      this.worker.postMessage({ type: 'close' } satisfies Request);
    }
    await this.#exited;
  }

  #hear(answer: Answer): void {
    if (answer.type === 'predicted') this.#settle(answer.id)?.resolve(answer.predictions);
    if (answer.type === 'failed') this.#settle(answer.id)?.reject(revived(answer.error));
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0 && !this.#closed) this.worker.unref();
    return pending;
  }

  /** Rejects pending requests, because the thread has ended. */
  #lose(error: unknown): void {
    this.#closed = true;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

async function firstAnswer(worker: Worker, source: string): Promise<Answer> {
  const heard = new AbortController();
  try {
    const ended = once(worker, 'exit', { signal: heard.signal }).then(([code]) => Promise.reject(gone(source, code)));
    // An error event also rejects here.
    const [answer] = await Promise.race([once(worker, 'message', { signal: heard.signal }), ended]);
    return answer;
  } finally {
    heard.abort();
  }
}

const gone = (source: string, code: number): ThreadError =>
  new ThreadError(`The thread of the classifier of ${source} ended with code ${code}. Load it again.`);
