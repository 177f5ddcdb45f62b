/** Tar shards of KEY.jpg and KEY.cls as in WebDataset: finds the samples of a shard, and joins shards into a split. */
import { posix } from 'node:path';
import { DataError } from '../../errors.js';
import { type EncodedSet, labelsOf, mostClasses } from '../dataset.js';
import { imageExtensions, isOfImages } from '../image-files.js';
import { isHidden, type Skipped, skip, skippedText } from '../walk.js';
import { type Reading, type TarEntry, tarEntries } from './tar.js';

/** The position of an image in its shard, and its class number. */
export interface Sample {
  image: TarEntry;
  label: number;
}

/** A shard, local or remote. */
export interface Shard {
  /** The name in error messages. */
  name: string;
  samples: readonly Sample[];
  read(image: TarEntry): Promise<Uint8Array>;
  /** Starts reading an image that will be requested soon. */
  expect?(image: TarEntry): void;
  /** Cancels an image announced to {@link expect}. */
  forget?(image: TarEntry): void;
}

/** Splits a name into key and extension at its first dot. Undefined if there is no dot, or nothing before it. */
function partsOf(name: string): [key: string, extension: string] | undefined {
  const [, key, extension] = name.match(/^((?:.*\/)?[^./][^./]*)\.(.+)$/) ?? [];
  return key !== undefined && extension !== undefined ? [key, extension] : undefined;
}

/** The most bytes of a class number with blanks around it. */
const longestNumber = 64;

/**
 * Finds the pairs KEY.jpg and KEY.cls of a shard of `size` bytes. Keys with a class but no supported image are added to
 * `skipped`. Throws DataError.
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
    // Not read yet if a link has another name than its file.
    const bytes = entry.content ?? (yield { offset: entry.offset, length: Math.min(entry.size, longestNumber) });
    const text = bytes.toString('latin1').trim();
    const label = Number(text);
    if (entry.size > longestNumber || !/^\d+$/.test(text) || label >= mostClasses)
      throw new DataError(`${shard}: ${entry.name} holds no class number, 0 to ${mostClasses - 1}.`);
    samples.push({ image: { name, offset, size: length }, label });
  }
  return samples;
}

/** Returns the number of classes that the class numbers in the shards imply, a lower bound. */
export const classesIn = (shards: readonly Shard[]): number =>
  shards.reduce((most, { samples }) => samples.reduce((larger, { label }) => Math.max(larger, label), most), 1) + 1;

/** Joins shards, in order, into a split. */
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
