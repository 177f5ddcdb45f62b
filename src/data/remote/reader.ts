/** The work of the network thread: queries files, reads byte ranges, and fills the cache. */
import { type FileHandle, open, rename, rm, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { DataError, messageOf } from '../../errors.js';
import type { Address } from './address.js';
import { ShardCache } from './cache.js';
import { bytesOf, Failure, type Found, look } from './http.js';
import type { RemoteSettings } from './options.js';
import { Slots } from './slots.js';

/** A remote file in the version found when it was opened. */
export interface OpenedFile extends Found {
  /** Its id in the cache. */
  id: string;
  /** Path in the cache; undefined if it is not there. */
  path?: string | undefined;
  /** Why the cache is not writable. */
  obstacle?: string | undefined;
}

/** The path of a file in the cache, or the seconds to wait before another try. */
export interface Filled {
  path?: string;
  wait?: number;
}
/** Seconds to wait if another process downloads the file, and if there is no room. */
const [soon, later] = [2, 30];

/**
 * How urgent a download into the cache is. `idle`: nobody waits for it. `wait`: useful if there is room. `must`:
 * required.
 */
export type Urgency = 'idle' | 'wait' | 'must';

/** Concurrent requests for byte ranges, and concurrent downloads of whole files. */
const [partSlots, fileSlots] = [32, 3];
/** Milliseconds before a checksum is compared again. */
const day = 86_400_000;
/** A failed request that delivered this many bytes does not count as a failed try. */
const worthwhile = 2 ** 20;
/** The longest pauses between tries, in seconds: our own, and one that the server asks for. */
const [longestPause, longestAsked] = [30, 120];

export class RemoteReader {
  readonly cache: ShardCache;
  readonly #parts = new Slots(partSlots);
  readonly #files = new Slots(fileSlots);
  readonly #filling = new Map<string, Promise<Filled>>();

  constructor(private readonly settings: RemoteSettings) {
    this.cache = new ShardCache(settings.folder, settings.limit);
    setInterval(() => this.cache.touchAll(), 60_000).unref();
  }

  /** Queries the server for a file, and the cache for this version of it. Throws DataError. */
  open(address: Address): Promise<OpenedFile> {
    return this.#parts.run(async () => {
      const found = await this.#again(address, () => look(address, this.settings.timeout));
      const id = this.cache.idOf(address.shown, found);
      const { obstacle } = this.cache;
      return { ...found, id, path: await this.#intact(id), ...(obstacle !== undefined && { obstacle }) };
    });
  }

  /** Like {@link open}; undefined if the file is missing or access is denied. */
  async openIfThere(address: Address): Promise<OpenedFile | undefined> {
    try {
      return await this.open(address);
    } catch (error) {
      const { cause } = error as Error;
      if (cause instanceof Failure && [401, 403, 404, 410].includes(cause.status)) return undefined;
      throw error;
    }
  }

  /** Returns the path of a file in the cache; verifies its checksum if that was not done for a day. */
  async #intact(id: string): Promise<string | undefined> {
    const facts = this.cache.lookup(id);
    const file = this.cache.path(id, 'data');
    if (!facts || Date.now() - facts.checked < day) return facts && file;
    if ((await checksumOf(file)) === facts.crc32) {
      if (this.cache.obstacle === undefined) this.cache.admit(id, { ...facts, checked: Date.now() });
      return file;
    }
    this.cache.remove(id);
    return undefined;
  }

  /** Reads a byte range of a file. Throws DataError. */
  read(address: Address, file: OpenedFile, begin: number, length: number): Promise<Uint8Array> {
    return this.#parts.run(async () => {
      const bytes = new Uint8Array(length);
      let done = 0;
      const fetchRest = async () => {
        const span = { begin: begin + done, end: begin + length };
        for await (const chunk of bytesOf(address, file, span, this.settings.timeout)) {
          const part = chunk.subarray(0, length - done);
          bytes.set(part, done);
          done += part.length;
          if (done === length) return;
        }
        if (done < length) throw new Failure('the connection was closed in the middle', true);
      };
      await this.#again(address, fetchRest, () => done);
      return bytes;
    });
  }

  /**
   * Downloads a whole file into the cache and returns its path. If it does not fit or cannot be written, throws
   * DataError for `must`, and otherwise returns the seconds to wait.
   */
  fill(address: Address, file: OpenedFile, urgency: Urgency): Promise<Filled> {
    const under = this.#filling.get(file.id);
    // A request that is more than idle tries again if the download in progress was given up.
    if (under)
      return under.then((filled) => (urgency === 'idle' || filled.path ? filled : this.fill(address, file, urgency)));
    const filling = this.#files
      .run(() => this.#fill(address, file, urgency))
      .finally(() => this.#filling.delete(file.id));
    this.#filling.set(file.id, filling);
    return filling;
  }

  async #fill(address: Address, file: OpenedFile, urgency: Urgency): Promise<Filled> {
    const { cache } = this;
    for (;;) {
      const path = await this.#intact(file.id);
      if (path !== undefined) return { path };
      if (cache.obstacle !== undefined) return this.#refuse(address, cache.obstacle, urgency);
      try {
        if (cache.lock(file.id)) return await this.#fillLocked(address, file, urgency);
      } catch (error) {
        if (error instanceof DataError) throw error;
        return this.#refuse(address, messageOf(error), urgency);
      }
      // Another process downloads it.
      if (urgency === 'idle') return { wait: soon };
      await sleep(200);
    }
  }

  #refuse({ shown }: Address, why: string, urgency: Urgency): Filled {
    if (urgency !== 'must') return { wait: later };
    const { folder } = this.cache;
    throw new DataError(
      `${shown} cannot be kept in the shard cache ${folder}: ${why}. Free some space, raise --shard-cache-size, or choose another --shard-cache.`,
    );
  }

  async #fillLocked(address: Address, file: OpenedFile, urgency: Urgency): Promise<Filled> {
    const { cache } = this;
    const must = urgency === 'must';
    const lock = cache.path(file.id, 'lock');
    const part = cache.partOf(file.id);
    let handle: FileHandle | undefined;
    let alive: NodeJS.Timeout | undefined;
    try {
      if (!cache.makeRoom(file.length + notesOf(file), must))
        return this.#refuse(address, this.#shortage(file), urgency);
      handle = await open(part, 'wx');
      // Reserves the final size, including the index, so that other processes count it.
      await handle.truncate(file.length + notesOf(file));
      // Two processes that started at once may have reserved the same space.
      if (!cache.makeRoom(0, must)) return this.#refuse(address, this.#shortage(file), urgency);
      alive = setInterval(() => void touch([lock, part]), 5_000);
      const sum = await this.#download(address, file, handle);
      await handle.truncate(file.length);
      await handle.sync();
      await handle.close();
      handle = undefined;
      await rename(part, cache.path(file.id, 'data'));
      cache.admit(file.id, { address: address.shown, length: file.length, crc32: sum, checked: Date.now() });
      cache.touch(file.id);
      return { path: cache.path(file.id, 'data') };
    } finally {
      clearInterval(alive);
      await handle?.close();
      await rm(part, { force: true });
      await rm(lock, { force: true });
    }
  }

  #shortage({ length }: OpenedFile): string {
    const [needed, limit] = [length, this.cache.limit].map((bytes) => (bytes / 2 ** 30).toPrecision(3));
    return `it has ${needed} GiB, the cache may hold ${limit} GiB, and what is in use there and on its disk leaves too little`;
  }

  /** Downloads a file and returns its CRC-32. */
  async #download(address: Address, file: OpenedFile, handle: FileHandle): Promise<number> {
    let [done, sum] = [0, 0];
    const fetchRest = async () => {
      if (!file.ranges) [done, sum] = [0, 0];
      const span = file.ranges ? { begin: done, end: file.length } : undefined;
      if (done === file.length) return;
      for await (const chunk of bytesOf(address, file, span, this.settings.timeout)) {
        if (done + chunk.length > file.length)
          throw new Failure(`the server sends more than the ${file.length} bytes that it announced`, false);
        await writeAll(handle, chunk, done);
        sum = crc32(chunk, sum);
        done += chunk.length;
      }
      if (done < file.length) throw new Failure('the connection was closed in the middle', true);
    };
    await this.#again(address, fetchRest, () => (file.ranges ? done : 0));
    return sum;
  }

  /** Retries a request after errors that may pass, with growing pauses. Throws DataError. */
  async #again<T>({ shown }: Address, body: () => Promise<T>, progress: () => number = () => 0): Promise<T> {
    const { retries } = this.settings;
    for (let failed = 0; ; ) {
      const before = progress();
      try {
        return await body();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (progress() - before >= worthwhile) failed = 0;
        if (!error.again || failed >= retries) {
          const also = error.again && retries > 0 ? `, also after ${retries} retries` : '';
          const next = error.again ? ' Try again later, or raise --shard-retries and --shard-timeout.' : '';
          throw new DataError(`${shown} cannot be read: ${error.message}${also}.${next}`, { cause: error });
        }
        // Random, so that processes do not retry all at once.
        const pause = Math.min(longestPause, 0.5 * 2 ** failed++) * (0.5 + Math.random() / 2);
        await sleep(1000 * Math.max(pause, Math.min(error.after, longestAsked)));
      }
    }
  }
}

/** The most bytes of a file's description and a shard's index. */
const notesOf = ({ length }: OpenedFile): number => 4096 + Math.ceil(length / 32);

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function checksumOf(path: string): Promise<number | undefined> {
  let sum = 0;
  try {
    const handle = await open(path);
    for await (const chunk of handle.createReadStream({ highWaterMark: 2 ** 20 })) sum = crc32(chunk as Buffer, sum);
    return sum;
  } catch {
    return undefined;
  }
}

/** Signals to other processes that a file is still being written. */
async function touch(files: string[]): Promise<void> {
  const now = new Date();
  for (const file of files) await utimes(file, now, now).catch(() => {});
}
