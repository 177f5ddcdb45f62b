/** Files on other machines, from the side of those who read them; the network is another thread's work. */
import { Worker } from 'node:worker_threads';
import { DataError, messageOf } from '../../errors.js';
import type { Address } from './address.js';
import { removePartsOf } from './cache.js';
import { type RemoteSettings, settingsOf } from './options.js';
import type { Filled, OpenedFile } from './reader.js';

/** What the thread is asked. */
export interface Ask {
  id: number;
  call: 'open' | 'openIfThere' | 'read' | 'fill';
  address: Address;
  file?: OpenedFile;
  begin?: number;
  length?: number;
  must?: boolean;
}

export interface Reply {
  id: number;
  value?: unknown;
  error?: string;
}

interface Waiting {
  /** Whether the program is not at its end before the answer comes. */
  holds: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

// From sources, as tests run, the thread still needs what was compiled: Node cannot read TypeScript.
const entry = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/data/remote/thread.js' : './thread.js',
  import.meta.url,
);

/** Of this thread, by what they were asked for with. */
const known = new Map<string, RemoteFiles>();

export class RemoteFiles {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  /** Those of this thread with these settings. */
  static with(settings: RemoteSettings = settingsOf()): RemoteFiles {
    const key = JSON.stringify(settings);
    const files = known.get(key) ?? new RemoteFiles(settings);
    known.set(key, files);
    return files;
  }

  private constructor(readonly settings: RemoteSettings) {
    this.#worker = new Worker(entry, { workerData: settings });
    const { threadId } = this.#worker;
    this.#worker.on('message', ({ id, value, error }: Reply) => {
      const waiting = this.#take(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new DataError(error));
    });
    this.#worker.on('error', (error) => this.#fail(messageOf(error)));
    this.#worker.on('exit', () => this.#fail('it has ended'));
    process.once('exit', () => removePartsOf(threadId, settings.folder));
    this.#worker.unref();
  }

  /** What the server has, and whether the cache has it. Throws DataError. */
  open(address: Address): Promise<OpenedFile> {
    return this.#ask({ call: 'open', address });
  }

  /** The same for a file that may be missing. */
  openIfThere(address: Address): Promise<OpenedFile | undefined> {
    return this.#ask({ call: 'openIfThere', address });
  }

  /** A part of a file. Throws DataError. */
  read(address: Address, file: OpenedFile, begin: number, length: number): Promise<Uint8Array> {
    return this.#ask({ call: 'read', address, file, begin, length });
  }

  /**
   * Brings a whole file into the cache, where there is room for it. A program that is at its end waits for that where
   * `holds` says so.
   */
  fill(address: Address, file: OpenedFile, holds = false): Promise<Filled> {
    return this.#ask({ call: 'fill', address, file }, holds);
  }

  /** The same for a file that must lie there. Throws DataError. */
  async need(address: Address, file: OpenedFile): Promise<string> {
    const { path } = await this.#ask<Filled>({ call: 'fill', address, file, must: true });
    return path as string;
  }

  #ask<T>(what: Omit<Ask, 'id'>, holds = true): Promise<T> {
    const id = this.#asked++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, holds });
      if (holds) this.#worker.ref();
      this.#worker.postMessage({ id, ...what } satisfies Ask);
    });
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (![...this.#waiting.values()].some(({ holds }) => holds)) this.#worker.unref();
    return waiting;
  }

  #fail(why: string): void {
    known.delete(JSON.stringify(this.settings));
    for (const id of [...this.#waiting.keys()])
      this.#take(id)?.reject(new DataError(`The thread that reads shards from the network failed: ${why}.`));
  }
}
