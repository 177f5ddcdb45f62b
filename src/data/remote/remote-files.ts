/** The caller's side of remote files; a separate thread does the network I/O. */
import { Worker } from 'node:worker_threads';
import { DataError, messageOf } from '../../errors.js';
import type { Address } from './address.js';
import { removePartsOf } from './cache.js';
import type { RemoteSettings } from './options.js';
import type { Filled, OpenedFile, Urgency } from './reader.js';

/** A request to the network thread. */
export interface Ask {
  id: number;
  settings: RemoteSettings;
  call: 'open' | 'openIfThere' | 'read' | 'fill';
  address: Address;
  file?: OpenedFile;
  begin?: number;
  length?: number;
  urgency?: Urgency;
}

export interface Reply {
  id: number;
  value?: unknown;
  error?: string;
}

interface Waiting {
  /** Whether this request keeps the process alive until its reply arrives. */
  holds: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

// When run from sources, as in tests, the thread still needs the compiled file: Node cannot load TypeScript here.
const entry = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/data/remote/thread.js' : './thread.js',
  import.meta.url,
);

/** The network thread of this thread, and its open requests. */
class Network {
  // Node flags are meant for the main program: one about its source code would make a thread fail.
  readonly #worker = new Worker(entry, { execArgv: [] });
  readonly #waiting = new Map<number, Waiting>();
  /** The cache folders that the thread writes to. */
  readonly folders = new Set<string>();
  #asked = 0;

  constructor() {
    const { threadId } = this.#worker;
    this.#worker.on('message', ({ id, value, error }: Reply) => {
      const waiting = this.#take(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new DataError(error));
    });
    this.#worker.on('error', (error) => this.#fail(messageOf(error)));
    this.#worker.on('exit', () => this.#fail('it has ended'));
    process.once('exit', () => {
      for (const folder of this.folders) removePartsOf(threadId, folder);
    });
    this.#worker.unref();
  }

  ask<T>(what: Omit<Ask, 'id'>, holds: boolean): Promise<T> {
    const id = this.#asked++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, holds });
      if (holds) this.#worker.ref();
      this.#worker.postMessage({ id, ...what } satisfies Ask);
    });
  }

  stopWaiting(): void {
    for (const waiting of this.#waiting.values()) waiting.holds = false;
    this.#worker.unref();
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (![...this.#waiting.values()].some(({ holds }) => holds)) this.#worker.unref();
    return waiting;
  }

  #fail(why: string): void {
    if (network === this) network = undefined;
    for (const id of [...this.#waiting.keys()])
      this.#take(id)?.reject(new DataError(`The thread that reads shards from the network failed: ${why}.`));
  }
}

let network: Network | undefined;

/** Lets the process exit while requests are open, after the user stopped it. */
export const stopWaiting = (): void => network?.stopWaiting();

export class RemoteFiles {
  constructor(readonly settings: RemoteSettings) {}

  /** Queries the server for a file, and the cache for a copy. Throws DataError. */
  open(address: Address): Promise<OpenedFile> {
    return this.#ask({ call: 'open', address });
  }

  /** Like {@link open}; undefined if the file is missing. */
  openIfThere(address: Address): Promise<OpenedFile | undefined> {
    return this.#ask({ call: 'openIfThere', address });
  }

  /** Reads a byte range of a file. Throws DataError. */
  read(address: Address, file: OpenedFile, begin: number, length: number): Promise<Uint8Array> {
    return this.#ask({ call: 'read', address, file, begin, length });
  }

  /** Downloads a whole file into the cache if there is room. An `idle` request does not keep the process alive. */
  fill(address: Address, file: OpenedFile, urgency: 'idle' | 'wait'): Promise<Filled> {
    return this.#ask({ call: 'fill', address, file, urgency }, urgency !== 'idle');
  }

  /** Like {@link fill}, for a file that must be in the cache; returns its path. Throws DataError. */
  async need(address: Address, file: OpenedFile): Promise<string> {
    const { path } = await this.#ask<Filled>({ call: 'fill', address, file, urgency: 'must' });
    return path as string;
  }

  #ask<T>(what: Omit<Ask, 'id' | 'settings'>, holds = true): Promise<T> {
    network ??= new Network();
    network.folders.add(this.settings.folder);
    return network.ask({ settings: this.settings, ...what }, holds);
  }
}
