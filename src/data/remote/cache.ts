/**
 * A cache folder of downloaded files, shared by processes. A file is complete or absent; its name identifies its
 * version, and `ID.json` next to it holds its expected properties. The modification time of `ID.json` is the time of
 * last use.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { writeFileAtomic } from '../../atomic.js';
import { z } from '../../options.js';
import type { Version } from './http.js';

const entryFacts = z.object({
  /** URL without credentials. */
  address: z.string(),
  length: z.int().min(0),
  /** Modification time of the data in ms, to detect that another program wrote to them. */
  written: z.number(),
  crc32: z.int().min(0),
  /** When the checksum was last compared, in ms. */
  checked: z.number(),
});
type EntryFacts = z.output<typeof entryFacts>;

/** Matches this package's files; all others in the folder are left alone. */
const ownName = /^([0-9a-f]{32})\.(data|json|index|lock|[\w.-]+\.part)$/;
/** Files used within this many milliseconds count as in use by some process. */
const inUse = 3 * 60_000;
/** Milliseconds after which an untouched lock or partial file counts as abandoned. */
const abandoned = 60_000;
/** Bytes to keep free on the disk, for checkpoints and other files. */
const margin = 256 * 2 ** 20;

interface Held {
  bytes: number;
  /** When it was last used; if unknown, when it was written. */
  used: number;
  stamped?: number | undefined;
}

export class ShardCache {
  /** Why the folder is not writable; undefined if it is. */
  readonly obstacle: string | undefined;
  readonly #pinned = new Set<string>();

  constructor(
    readonly folder: string,
    readonly limit: number,
  ) {
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      this.obstacle = (error as Error).message;
    }
  }

  /** Returns the id of a version of a file. */
  idOf(shown: string, { length, etag, lastModified }: Version): string {
    const version = JSON.stringify([shown, length, etag, lastModified]);
    return createHash('sha256').update(version).digest('hex').slice(0, 32);
  }

  path(id: string, kind: 'data' | 'json' | 'index' | 'lock'): string {
    return join(this.folder, `${id}.${kind}`);
  }

  /** Returns the facts of a cached file; removes the file if it was truncated or modified. */
  lookup(id: string): EntryFacts | undefined {
    const facts = this.#factsOf(id);
    if (!facts) return undefined;
    try {
      const { size, mtimeMs } = statSync(this.path(id, 'data'));
      if (size === facts.length && mtimeMs === facts.written) {
        this.touch(id);
        return facts;
      }
    } catch {
      // Another process removed it.
    }
    this.remove(id);
    return undefined;
  }

  #factsOf(id: string): EntryFacts | undefined {
    try {
      return entryFacts.parse(JSON.parse(readFileSync(this.path(id, 'json'), 'utf8')));
    } catch {
      return undefined;
    }
  }

  /** Publishes a file that was written and flushed: from now on it is in the cache. */
  admit(id: string, facts: Omit<EntryFacts, 'written'>): void {
    const { mtimeMs: written } = statSync(this.path(id, 'data'));
    writeFileAtomic(this.path(id, 'json'), JSON.stringify({ ...facts, written } satisfies EntryFacts));
  }

  /** Marks a file as in use by this process until the process ends. */
  touch(id: string): void {
    this.#pinned.add(id);
    this.#stamp(id);
  }

  /** Renews the marks of all files in use. */
  touchAll(): void {
    for (const id of this.#pinned) this.#stamp(id);
  }

  #stamp(id: string): void {
    const now = new Date();
    try {
      utimesSync(this.path(id, 'json'), now, now);
    } catch {
      // Removed, or on a read-only disk: the mark is only a hint.
    }
  }

  remove(id: string): void {
    this.#pinned.delete(id);
    for (const kind of ['json', 'data', 'index'] as const) this.#delete(`${id}.${kind}`);
  }

  #delete(name: string): void {
    try {
      rmSync(join(this.folder, name), { force: true });
    } catch {
      // The disk is read-only.
    }
  }

  /**
   * Makes room for `bytes` more by removing the least recently used files. Files that this process uses stay; files
   * that others use are removed only if `must` is set. Returns false if the room does not suffice.
   */
  makeRoom(bytes: number, must: boolean): boolean {
    const entries = this.#entries();
    const total = [...entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    const { bavail, bsize } = statfsSync(this.folder);
    let missing = Math.max(total + bytes - this.limit, bytes + margin - bavail * bsize);
    const recent = Date.now() - inUse;
    const removable = [...entries]
      .filter(([id, { used }]) => !this.#pinned.has(id) && used < (must ? Number.POSITIVE_INFINITY : recent))
      .sort(([, a], [, b]) => a.used - b.used);
    const chosen: string[] = [];
    for (const [id, entry] of removable) {
      if (missing <= 0) break;
      chosen.push(id);
      missing -= entry.bytes;
    }
    if (missing > 0) return false;
    for (const id of chosen) this.remove(id);
    return true;
  }

  /** Lists the cached files and partial files of other processes; removes those of dead processes. */
  #entries(): Map<string, Held> {
    for (;;) {
      const entries = this.#listed();
      if (entries) return entries;
    }
  }

  /** Undefined if a partial file was renamed meanwhile, as its new name may have been missed. */
  #listed(): Map<string, Held> | undefined {
    const entries = new Map<string, Held>();
    for (const name of readdirSync(this.folder)) {
      const [, id = '', kind = ''] = name.match(ownName) ?? [];
      if (id === '') continue;
      let [size, time] = [0, 0];
      try {
        ({ size, mtimeMs: time } = statSync(join(this.folder, name)));
      } catch {
        if (kind.endsWith('.part')) return undefined;
        continue;
      }
      if (kind.endsWith('.part')) {
        if (isAbandoned(kind, time)) this.#delete(name);
        // It counts toward the limit, but is never removed.
        else entries.set(name, { bytes: size, used: Number.POSITIVE_INFINITY });
        continue;
      }
      if (kind === 'lock') {
        if (Date.now() - time > abandoned) this.#delete(name);
        continue;
      }
      const { bytes, used, stamped } = entries.get(id) ?? { bytes: 0, used: 0 };
      const stamp = kind === 'json' ? time : stamped;
      entries.set(id, { bytes: bytes + size, used: stamp ?? Math.max(used, time), stamped: stamp });
    }
    return entries;
  }

  /** Returns a new name for a partial file of this process. */
  partOf(id: string): string {
    return join(this.folder, `${id}.${writer()}.${randomBytes(4).toString('hex')}.part`);
  }

  /** Locks a file for writing by one process; false if another holds the lock. Touching the lock keeps it alive. */
  lock(id: string): boolean {
    const file = this.path(id, 'lock');
    try {
      const descriptor = openSync(file, 'wx');
      writeSync(descriptor, writer());
      closeSync(descriptor);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    try {
      // Two processes that both find it abandoned both download: partial files have unique names, so nothing is
      // corrupted.
      if (!isAbandoned(readFileSync(file, 'utf8'), statSync(file).mtimeMs)) return false;
    } catch {
      return this.lock(id);
    }
    rmSync(file, { force: true });
    return this.lock(id);
  }
}

const ownHost = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const writer = (thread = threadId): string => `${ownHost}-${process.pid}-${thread}`;

/** Removes partial files and locks of a thread of this process that has ended. */
export function removePartsOf(thread: number, folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const [, id, kind = ''] = name.match(ownName) ?? [];
      const file = join(folder, name);
      const isLock = kind === 'lock' && readFileSync(file, 'utf8') === writer(thread);
      if (isLock || name.startsWith(`${id}.${writer(thread)}.`)) rmSync(file, { force: true });
    }
  } catch {
    // The next process that uses the folder removes them.
  }
}

/** Whether the process that a text names is dead: not running on this host, or without a sign of life. */
function isAbandoned(text: string, touched: number): boolean {
  if (Date.now() - touched > abandoned) return true;
  const [, host, pid] = text.match(/^([0-9a-f]{8})-(\d+)/) ?? [];
  if (host !== ownHost) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
