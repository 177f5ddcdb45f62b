/** Remote tar shards. */
import { statSync } from 'node:fs';
import { DataError, messageOf } from '../../errors.js';
import { readWhole } from '../files.js';
import { partOf } from '../formats/local-shard.js';
import type { Sample, Shard } from '../formats/shard.js';
import type { TarEntry } from '../formats/tar.js';
import { type Skipped, skip } from '../walk.js';
import { type Address, addressOf, expandBraces, nameIn, nextTo } from './address.js';
import type { RemoteSettings } from './options.js';
import type { OpenedFile } from './reader.js';
import { RemoteFiles } from './remote-files.js';
import { indexOf } from './shard-index.js';
import { Slots } from './slots.js';

/** Shards that are indexed concurrently. */
const indexed = 8;
/** The most bytes of images that are read ahead and not yet requested. */
const mostAhead = 2 ** 27;
const largestNames = 2 ** 26;
/** How often reading an image from the cache is tried when its file vanishes or is truncated. */
const mostTries = 3;

/** Whether a source is a text file of URLs, one per line, as used for presigned URLs. */
export const isList = (place: string): boolean =>
  place.endsWith('.txt') && statSync(place, { throwIfNoEntry: false })?.isFile() === true;

/** Returns the URLs that a pattern expands to, or that a list contains. */
export function addressesOf(place: string, list: boolean): Address[] {
  const lines = list ? readWhole(place).toString('utf8').split(/\r?\n/) : [place];
  const texts = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  const found = texts.flatMap(expandBraces).map(addressOf);
  const seen = new Set<string>();
  for (const { shown } of found) {
    if (seen.has(shown))
      throw new DataError(`${shown} is named twice; addresses that differ in their queries alone are taken for one.`);
    seen.add(shown);
  }
  return found;
}

/** The shards of a data set. */
export interface ShardSplits {
  train: Shard[];
  test: Shard[];
  /** Class names from classes.txt next to the shards. */
  names?: string[];
  skipped: Skipped;
  notices: string[];
}

/** Opens shards, sorted by name in the same order as shards of a folder. Throws DataError. */
export async function openRemoteShards(
  addresses: Address[],
  settings: RemoteSettings,
  onProgress: (done: number, all: number) => void = () => {},
): Promise<ShardSplits> {
  const { train, test, names } = splitsOf(addresses);
  const files = new RemoteFiles(settings);
  const all = [...train, ...test];
  const opened = await Promise.all(all.map((address) => files.open(address)));
  const notices = checkRoom(opened, settings);
  const slots = new Slots(indexed);
  let done = 0;
  const ahead = new Ahead();
  const skipped: Skipped = new Map();
  const shards = await Promise.all(
    all.map((address, i) =>
      slots.run(async () => {
        const file = opened[i] as OpenedFile;
        const index = await indexOf(files, address, file);
        for (const [kind, count] of index.skipped) for (let n = 0; n < count; n++) skip(skipped, kind);
        onProgress(++done, all.length);
        return new RemoteShard(files, address, file, index.samples, ahead);
      }),
    ),
  );
  const first = train[0] as Address;
  const own = await classNames(files, names ?? nextTo(first, 'classes.txt'));
  return {
    train: shards.slice(0, train.length),
    test: shards.slice(train.length),
    ...(own && { names: own }),
    skipped,
    notices,
  };
}

function splitsOf(addresses: Address[]): { train: Address[]; test: Address[]; names: Address | undefined } {
  const startingWith = (...prefixes: string[]) =>
    addresses
      .filter((address) => prefixes.some((prefix) => nameIn(address).startsWith(prefix)))
      .sort((a, b) => compare(nameIn(a), nameIn(b)) || compare(a.shown, b.shown));
  const [train, test] = [startingWith('train'), startingWith('val', 'test')];
  const names = addresses.find((address) => nameIn(address) === 'classes.txt');
  const stranger = addresses.find((address) => ![...train, ...test, names].includes(address));
  if (stranger)
    throw new DataError(
      `${stranger.shown} belongs to no split: shards are called train-*.tar, and val-*.tar or test-*.tar.`,
    );
  for (const [found, prefix] of [
    [train, 'train-'],
    [test, 'val- or test-'],
  ] as const) {
    if (found.length === 0)
      throw new DataError(
        `The addresses name no shard that begins with ${prefix}: write both splits, as in https://host/{train-{0000..0146},val-{0000..0006}}.tar.`,
      );
  }
  return { train, test, names };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;

/**
 * Shards that do not fit into the cache are read by byte ranges. Throws DataError if the server does not support these:
 * each image would cost a whole shard.
 */
function checkRoom(opened: readonly OpenedFile[], { folder, limit }: RemoteSettings): string[] {
  const sum = (some: readonly OpenedFile[]) => some.reduce((bytes, { length }) => bytes + length, 0);
  const whole = opened.filter(({ ranges }) => !ranges);
  if (sum(whole) > limit)
    throw new DataError(
      `The server sends shards as a whole alone (it ignores range requests), so that all of them must be in the shard cache. They have ${gib(sum(whole))}, and it may hold ${gib(limit)}: raise --shard-cache-size.`,
    );
  const again = 'is read over the network in every epoch';
  const obstacle = opened.find((file) => file.obstacle !== undefined)?.obstacle;
  if (obstacle !== undefined)
    return [`The shard cache ${folder} cannot be written (${obstacle}): what is not in it ${again}.`];
  if (sum(opened) <= limit) return [];
  return [
    `The shards have ${gib(sum(opened))}, and the shard cache may hold ${gib(limit)}: the rest ${again}. Raise --shard-cache-size to keep it.`,
  ];
}

/** Reads the lines of a file of class names; undefined if there is none. */
async function classNames(files: RemoteFiles, address: Address): Promise<string[] | undefined> {
  const file = await files.openIfThere(address);
  if (!file) return undefined;
  if (file.length > largestNames)
    throw new DataError(`${address.shown} has ${file.length} bytes: that is not a list of names.`);
  const path = file.path ?? (file.ranges ? undefined : await files.need(address, file));
  const bytes = path === undefined ? await files.read(address, file, 0, file.length) : readWhole(path);
  return Buffer.from(bytes).toString('utf8').trim().split(/\r?\n/);
}

/** Images that are read ahead of their step, within a memory limit. */
class Ahead {
  readonly #images = new Map<TarEntry, Promise<Uint8Array>>();
  #bytes = 0;

  expect(image: TarEntry, read: () => Promise<Uint8Array>): void {
    if (this.#images.has(image) || this.#bytes + image.size > mostAhead) return;
    const reading = read();
    // The error is thrown to the caller that requests the image.
    reading.catch(() => {});
    this.#images.set(image, reading);
    this.#bytes += image.size;
  }

  take(image: TarEntry): Promise<Uint8Array> | undefined {
    const reading = this.#images.get(image);
    if (this.#images.delete(image)) this.#bytes -= image.size;
    return reading;
  }
}

/** A shard that is read by byte ranges until it is in the cache; the download starts with the first image needed. */
class RemoteShard implements Shard {
  readonly name: string;
  #filling = false;
  #next = 0;

  constructor(
    private readonly files: RemoteFiles,
    private readonly address: Address,
    private readonly file: OpenedFile,
    readonly samples: readonly Sample[],
    private readonly ahead: Ahead,
  ) {
    this.name = address.shown;
  }

  expect(image: TarEntry): void {
    if (this.file.path === undefined && this.file.ranges) this.ahead.expect(image, () => this.#fetch(image));
  }

  forget(image: TarEntry): void {
    void this.ahead.take(image);
  }

  async read(image: TarEntry): Promise<Uint8Array> {
    const expected = this.ahead.take(image);
    if (expected) return expected;
    const { file } = this;
    for (let tries = 1; ; tries++) {
      if (file.path === undefined && file.ranges) return this.#fetch(image);
      file.path ??= await this.files.need(this.address, file);
      try {
        return await partOf(file.path, image);
      } catch (error) {
        if (tries === mostTries)
          throw new DataError(`${this.name} cannot be read: ${messageOf(error)}.`, { cause: error });
        // Removed from the cache, or truncated there: the next try downloads it again.
        file.path = undefined;
      }
    }
  }

  #fetch(image: TarEntry): Promise<Uint8Array> {
    this.#fill();
    return this.files.read(this.address, this.file, image.offset, image.size);
  }

  /** Downloads the shard into the cache, after reads in progress. */
  #fill(): void {
    if (this.#filling || Date.now() < this.#next) return;
    this.#filling = true;
    const settle = ({ path, wait = 0 }: { path?: string; wait?: number }) => {
      this.#filling = false;
      this.file.path = path;
      this.#next = Date.now() + 1000 * wait;
    };
    // If the download fails, reading reports the error.
    this.files.fill(this.address, this.file, 'idle').then(settle, () => settle({ wait: 30 }));
  }
}
