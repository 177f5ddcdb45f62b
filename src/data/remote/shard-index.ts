/** Indexes a remote shard from as few bytes as possible, and stores the index in the cache. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../atomic.js';
import { z } from '../../options.js';
import { type Sample, samplesIn } from '../formats/shard.js';
import { readingOf } from '../formats/tar.js';
import type { Skipped } from '../walk.js';
import type { Address } from './address.js';
import type { OpenedFile } from './reader.js';
import type { RemoteFiles } from './remote-files.js';
import { readingAt, Window } from './window.js';

const indexFile = z.object({
  samples: z.array(z.tuple([z.string(), z.int().min(0), z.int().min(1), z.int().min(0)])).min(1),
  skipped: z.array(z.tuple([z.string(), z.int().min(1)])),
});

export interface ShardIndex {
  samples: Sample[];
  skipped: Skipped;
}

/** Shards of fewer bytes are read whole. */
const small = 2 ** 22;

/** Returns the index of a shard. Sets `file.path` if it downloads the shard into the cache. Throws DataError. */
export async function indexOf(files: RemoteFiles, address: Address, file: OpenedFile): Promise<ShardIndex> {
  const place = join(files.settings.folder, `${file.id}.index`);
  const known = remembered(place, file.length);
  if (known) return known;
  const index = await found(files, address, file);
  remember(place, index);
  return index;
}

async function found(files: RemoteFiles, address: Address, file: OpenedFile): Promise<ShardIndex> {
  if (file.path === undefined && !file.ranges) file.path = await files.need(address, file);
  if (file.path === undefined && file.length <= small) file.path = (await files.fill(address, file, 'wait')).path;
  if (file.path !== undefined) return inFile(file.path, address);
  // Headers take few bytes but many requests. The whole shard takes one request and will be needed anyway. Both run,
  // and the first to finish counts.
  const whole = files.fill(address, file, 'idle').then(
    ({ path }) => {
      file.path = path;
    },
    // If the download fails, reading reports the error.
    () => {},
  );
  const window = new Window(file.length, (begin, length) => files.read(address, file, begin, length));
  const index = await headersIn(window, address, () => file.path !== undefined || window.isDense);
  if (index) return index;
  await whole;
  // The images are so small that headers are spread over the whole file.
  file.path ??= (await files.fill(address, file, 'wait')).path;
  return file.path === undefined ? headersIn(window, address) : inFile(file.path, address);
}

async function headersIn(window: Window, address: Address): Promise<ShardIndex>;
async function headersIn(window: Window, address: Address, isOver: () => boolean): Promise<ShardIndex | undefined>;
async function headersIn(window: Window, { shown }: Address, isOver = () => false): Promise<ShardIndex | undefined> {
  const skipped: Skipped = new Map();
  const samples = await readingAt(window, (size) => samplesIn(shown, size, skipped), isOver);
  return samples && { samples, skipped };
}

function inFile(path: string, { shown }: Address): ShardIndex {
  const skipped: Skipped = new Map();
  return { samples: readingOf(path, (size) => samplesIn(shown, size, skipped)), skipped };
}

function remembered(place: string, length: number): ShardIndex | undefined {
  try {
    const { samples, skipped } = indexFile.parse(JSON.parse(readFileSync(place, 'utf8')));
    if (samples.some(([, offset, size]) => offset + size > length)) return undefined;
    return {
      samples: samples.map(([name, offset, size, label]) => ({ image: { name, offset, size }, label })),
      skipped: new Map(skipped),
    };
  } catch {
    // There is no index, or it is not usable.
    return undefined;
  }
}

function remember(place: string, { samples, skipped }: ShardIndex): void {
  const rows = samples.map(({ image: { name, offset, size }, label }) => [name, offset, size, label]);
  try {
    writeFileAtomic(place, JSON.stringify({ samples: rows, skipped: [...skipped] }));
  } catch {
    // The disk is full or read-only: the index is rebuilt next time.
  }
}
