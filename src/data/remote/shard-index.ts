/** What is in a shard on another machine: found out from as little of it as that takes, and remembered in the cache. */
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

/** Smaller ones are read whole. */
const small = 2 ** 22;

/** The index of a shard. Where it is brought into the cache for that, `file` says so afterwards. Throws DataError. */
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
  // Headers need few bytes and many requests. All of the shard needs one request, and will be wanted anyway: whichever
  // comes first.
  const whole = files.fill(address, file, 'idle').then(
    ({ path }) => {
      file.path = path;
    },
    // What the network does not bring, reading says.
    () => {},
  );
  const window = new Window(file.length, (begin, length) => files.read(address, file, begin, length));
  const index = await headersIn(window, address, () => file.path !== undefined || window.isDense);
  if (index) return index;
  await whole;
  // Images are so small that their headers are about everywhere.
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
    // There is none, or none that can be used.
    return undefined;
  }
}

function remember(place: string, { samples, skipped }: ShardIndex): void {
  const rows = samples.map(({ image: { name, offset, size }, label }) => [name, offset, size, label]);
  try {
    writeFileAtomic(place, JSON.stringify({ samples: rows, skipped: [...skipped] }));
  } catch {
    // A disk that is full, or cannot be written: the index is made again next time.
  }
}
