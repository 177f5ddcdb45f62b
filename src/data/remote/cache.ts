/**
 * A folder of files that were read over the network, shared by processes. A file is whole or not there, its name says
 * which version it is, and `ID.json` next to it what it must be like. The time of `ID.json` is that of the last use.
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
  /** Without credentials. */
  address: z.string(),
  length: z.int().min(0),
  /** When the data were written, so that somebody else's writing is noticed. */
  written: z.number(),
  crc32: z.int().min(0),
  /** When the checksum was last compared. */
  checked: z.number(),
});
type EntryFacts = z.output<typeof entryFacts>;

/** Nothing else in the folder is this package's. */
const ownName = /^([0-9a-f]{32})\.(data|json|index|lock|[\w.-]+\.part)$/;
/** What was used within these milliseconds is taken to be in use by some process. */
const inUse = 3 * 60_000;
/** A lock or a part that nobody has touched for so long belongs to nobody. */
const abandoned = 60_000;
/** Bytes that stay free on the disk, for checkpoints and whatever else is written there. */
const margin = 256 * 2 ** 20;

interface Held {
  bytes: number;
  /** When it was last used, or written where nobody says. */
  used: number;
  stamped?: number | undefined;
}

export class ShardCache {
  /** Why nothing can be written to the folder; undefined where it can. */
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

  /** What a version of a file is called here. */
  idOf(shown: string, { length, etag, lastModified }: Version): string {
    const version = JSON.stringify([shown, length, etag, lastModified]);
    return createHash('sha256').update(version).digest('hex').slice(0, 32);
  }

  path(id: string, kind: 'data' | 'json' | 'index' | 'lock'): string {
    return join(this.folder, `${id}.${kind}`);
  }

  /** What is known of a file that is there and was not cut off or written to; otherwise it is removed. */
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
      // Removed by another process.
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

  /** Makes a file that was written and flushed known, from when on it is there. */
  admit(id: string, facts: Omit<EntryFacts, 'written'>): void {
    const { mtimeMs: written } = statSync(this.path(id, 'data'));
    writeFileAtomic(this.path(id, 'json'), JSON.stringify({ ...facts, written } satisfies EntryFacts));
  }

  /** Says that a file is in use, by this process until it ends. */
  touch(id: string): void {
    this.#pinned.add(id);
    this.#stamp(id);
  }

  /** Says again what is in use. */
  touchAll(): void {
    for (const id of this.#pinned) this.#stamp(id);
  }

  #stamp(id: string): void {
    const now = new Date();
    try {
      utimesSync(this.path(id, 'json'), now, now);
    } catch {
      // Removed, or on a disk that cannot be written: it is only a hint.
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
      // On a disk that cannot be written.
    }
  }

  /**
   * Makes room for `bytes` more by removing what was used least recently, of which nothing that this process uses, and
   * nothing that others use, but where there is no other way (`must`). False where that is not enough.
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

  /** What is there by its name, with what others are writing; what a process that is gone was writing is removed. */
  #entries(): Map<string, Held> {
    for (;;) {
      const entries = this.#listed();
      if (entries) return entries;
    }
  }

  /** Undefined where a part became whole meanwhile: under its new name it was not seen. */
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
        // Not to be removed, and it counts.
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

  /** A new name for what this process writes. */
  partOf(id: string): string {
    return join(this.folder, `${id}.${writer()}.${randomBytes(4).toString('hex')}.part`);
  }

  /** Lets one process at a time write a file; false where another one does. The lock is kept alive by touching it. */
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
      // Two that find it abandoned at once both download: parts have names of their own, and nothing is torn.
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

/** Removes what a thread of this process, which has ended, was writing, and its locks. */
export function removePartsOf(thread: number, folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const [, id, kind = ''] = name.match(ownName) ?? [];
      const file = join(folder, name);
      const isLock = kind === 'lock' && readFileSync(file, 'utf8') === writer(thread);
      if (isLock || name.startsWith(`${id}.${writer(thread)}.`)) rmSync(file, { force: true });
    }
  } catch {
    // Whoever uses the folder next removes it.
  }
}

/** Whether the process that a text names is gone: it is of this computer and does not run, or has not been heard of. */
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
