/** Tar shards of KEY.jpg and KEY.cls, as WebDataset has them: what is in one, and several as a split. */
import { posix } from 'node:path';
import { DataError } from '../../errors.js';
import { type EncodedSet, labelsOf, mostClasses } from '../dataset.js';
import { imageExtensions, isOfImages } from '../image-files.js';
import { isHidden, type Skipped, skip, skippedText } from '../walk.js';
import { type Reading, type TarEntry, tarEntries } from './tar.js';

/** Where an image lies in its shard, and its class number. */
export interface Sample {
  image: TarEntry;
  label: number;
}

/** A shard, wherever it lies. */
export interface Shard {
  /** What errors call it. */
  name: string;
  samples: readonly Sample[];
  read(image: TarEntry): Promise<Uint8Array>;
  /** Begins to read what will be asked for soon. */
  expect?(image: TarEntry): void;
  /** Gives up what was expected. */
  forget?(image: TarEntry): void;
}

/**
 * Key and extension: the key is what stands before the first dot of the name. Undefined where there is no dot, or
 * nothing before it.
 */
function partsOf(name: string): [key: string, extension: string] | undefined {
  const [, key, extension] = name.match(/^((?:.*\/)?[^./][^./]*)\.(.+)$/) ?? [];
  return key !== undefined && extension !== undefined ? [key, extension] : undefined;
}

/** Bytes of a class number and of blanks around it. */
const longestNumber = 64;

/**
 * The pairs KEY.jpg and KEY.cls of a shard of `size` bytes. What has a class and no image that can be decoded is added
 * to `skipped`. Throws DataError.
 */
export function* samplesIn(shard: string, size: number, skipped: Skipped): Reading<Sample[]> {
  const images = new Map<string, TarEntry>();
  const labels = new Map<string, TarEntry>();
  const others = new Map<string, string>();
  const onBroken = () => void skip(skipped, 'broken link');
  const withContent = (name: string, length: number) => name.endsWith('.cls') && length <= longestNumber;
  for (const entry of yield* tarEntries(shard, size, { onBroken, withContent })) {
    if (isHidden(posix.basename(entry.name))) skip(skipped, 'hidden');
    const [key, extension] = partsOf(entry.name) ?? [];
    if (key === undefined || extension === undefined) continue;
    if (extension === 'cls') labels.set(key, entry);
    else if (isOfImages(`.${extension}`) && entry.size > 0) images.set(key, entry);
    else if (!others.has(key)) others.set(key, entry.size > 0 ? `.${extension}` : 'empty file');
  }
  for (const key of labels.keys()) if (!images.has(key)) skip(skipped, others.get(key) ?? 'class without an image');
  if (images.size === 0) {
    const text = skippedText(skipped);
    throw new DataError(`${shard} holds no image (KEY${imageExtensions})${text ? `; skipped: ${text}` : ''}.`);
  }
  const samples: Sample[] = [];
  for (const [key, { name, offset, size: length }] of images) {
    const entry = labels.get(key);
    if (!entry) throw new DataError(`${shard} has ${name}, and no ${key}.cls with its class number.`);
    // Not yet known where a link has another name than its file.
    const bytes = entry.content ?? (yield { offset: entry.offset, length: Math.min(entry.size, longestNumber) });
    const text = bytes.toString('latin1').trim();
    const label = Number(text);
    if (entry.size > longestNumber || !/^\d+$/.test(text) || label >= mostClasses)
      throw new DataError(`${shard}: ${entry.name} holds no class number, 0 to ${mostClasses - 1}.`);
    samples.push({ image: { name, offset, size: length }, label });
  }
  return samples;
}

/** The number of classes that shards have at least. */
export const classesIn = (shards: readonly Shard[]): number =>
  shards.reduce((most, { samples }) => samples.reduce((larger, { label }) => Math.max(larger, label), most), 1) + 1;

/** Shards in their order as a split. */
export function encodedSet(shards: readonly Shard[], classes: number): EncodedSet {
  const all = shards.flatMap((shard, number) => shard.samples.map((sample) => ({ ...sample, shard, number })));
  const at = (image: number) => all[image] as (typeof all)[number];
  return {
    labels: labelsOf(
      all.map(({ label }) => label),
      classes,
    ),
    shardOf: (image) => at(image).number,
    nameOf: (image) => `${at(image).image.name} in ${at(image).shard.name}`,
    read: (image) => at(image).shard.read(at(image).image),
    expect(images) {
      for (const image of images) at(image).shard.expect?.(at(image).image);
    },
    forget(images) {
      for (const image of images) at(image).shard.forget?.(at(image).image);
    },
  };
}
