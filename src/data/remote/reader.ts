/** What the thread does that reads from the network: looks at files, reads parts of them, and fills the cache. */
import { type FileHandle, open, rename, rm, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { DataError, messageOf } from '../../errors.js';
import type { Address } from './address.js';
import { ShardCache } from './cache.js';
import { bytesOf, Failure, type Found, look } from './http.js';
import type { RemoteSettings } from './options.js';
import { Slots } from './slots.js';

/** A file on another machine, as it was when it was opened. */
export interface OpenedFile extends Found {
  /** Its name in the cache. */
  id: string;
  /** Where it lies in the cache; undefined where it does not. */
  path?: string | undefined;
  /** Why nothing can be written to the cache. */
  obstacle?: string | undefined;
}

/** Where a file lies in the cache, or after how many seconds it may be worthwhile to ask again. */
export interface Filled {
  path?: string;
  wait?: number;
}
/** Where another process downloads the file, and where there is no room. */
const [soon, later] = [2, 30];

/**
 * How much a file is wanted in the cache: `idle` where nobody waits for it, `wait` where it is of use if there is room,
 * `must` where nothing works without it.
 */
export type Urgency = 'idle' | 'wait' | 'must';

/** Requests for parts, and downloads of whole files, at the same time. */
const [partSlots, fileSlots] = [32, 3];
/** How long a checksum that was compared holds. */
const day = 86_400_000;
/** A request that brought so much has not failed in vain: it does not count. */
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

  /** Asks the server for a file, and looks whether the cache has this version of it. Throws DataError. */
  open(address: Address): Promise<OpenedFile> {
    return this.#parts.run(async () => {
      const found = await this.#again(address, () => look(address, this.settings.timeout));
      const id = this.cache.idOf(address.shown, found);
      const { obstacle } = this.cache;
      return { ...found, id, path: await this.#intact(id), ...(obstacle !== undefined && { obstacle }) };
    });
  }

  /** The same for a file that may be missing, or not be there for us: undefined then. */
  async openIfThere(address: Address): Promise<OpenedFile | undefined> {
    try {
      return await this.open(address);
    } catch (error) {
      const { cause } = error as Error;
      if (cause instanceof Failure && [401, 403, 404, 410].includes(cause.status)) return undefined;
      throw error;
    }
  }

  /** Where a file lies in the cache; one whose checksum was not compared for a day is read through. */
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

  /** A part of a file. Throws DataError. */
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
   * Brings a whole file into the cache, and says where it lies. Where it does not fit, or nothing can be written, that
   * is an error if it must be there. Throws DataError.
   */
  fill(address: Address, file: OpenedFile, urgency: Urgency): Promise<Filled> {
    const under = this.#filling.get(file.id);
    // Whoever must have it cannot take no for an answer.
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
      // Others count it as what it will be, with what is written of it.
      await handle.truncate(file.length + notesOf(file));
      // Two that began at once may have taken the same room.
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

  /** Writes a file, and returns its checksum. */
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

  /** Tries a request again where that may help, after growing pauses. Throws DataError. */
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
        // Not all processes at the same moment.
        const pause = Math.min(longestPause, 0.5 * 2 ** failed++) * (0.5 + Math.random() / 2);
        await sleep(1000 * Math.max(pause, Math.min(error.after, longestAsked)));
      }
    }
  }
}

/** Bytes that the description of a file and the index of a shard have, at most. */
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

/** Shows others that a file is being written. */
async function touch(files: string[]): Promise<void> {
  const now = new Date();
  for (const file of files) await utimes(file, now, now).catch(() => {});
}
