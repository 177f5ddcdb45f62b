import { closeSync, existsSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import {
  type DatasetKind,
  type EncodedSet,
  imagenetStatistics,
  labelsOf,
  mostClasses,
  numberedClasses,
} from '../dataset.js';
import { linesOf, openFile } from '../files.js';
import { type TarEntry, tarEntries } from '../formats/tar.js';
import { imageExtensions, isOfImages } from '../image-files.js';
import { sizeOption, sourceOptions } from '../source-options.js';
import { entriesIn, isHidden, type Skipped, skip, skippedOf, skippedText } from '../walk.js';

/** Where an image lies, and its class number. */
interface Sample {
  shard: string;
  image: TarEntry;
  label: number;
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
 * The pairs KEY.jpg and KEY.cls of one shard. What has a class and no image that can be decoded is added to `skipped`.
 */
function samplesOf(shard: string, skipped: Skipped): Sample[] {
  const images = new Map<string, TarEntry>();
  const labels = new Map<string, TarEntry>();
  const others = new Map<string, string>();
  for (const entry of tarEntries(shard, () => skip(skipped, 'broken link'))) {
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
  const descriptor = openFile(shard);
  try {
    return [...images].map(([key, image]) => {
      const entry = labels.get(key);
      if (!entry) throw new DataError(`${shard} has ${image.name}, and no ${key}.cls with its class number.`);
      const bytes = Buffer.alloc(Math.min(entry.size, longestNumber));
      readSync(descriptor, bytes, 0, bytes.length, entry.offset);
      const text = bytes.toString('latin1').trim();
      const label = Number(text);
      if (entry.size > longestNumber || !/^\d+$/.test(text) || label >= mostClasses)
        throw new DataError(`${shard}: ${entry.name} holds no class number, 0 to ${mostClasses - 1}.`);
      return { shard, image, label };
    });
  } finally {
    closeSync(descriptor);
  }
}

function readSplit(path: string, prefixes: string[], skipped: Skipped): Sample[] {
  const samples: Sample[] = [];
  let count = 0;
  for (const { name, kind } of entriesIn(path)) {
    if (!name.endsWith('.tar') || !prefixes.some((prefix) => name.startsWith(prefix))) continue;
    if (kind) skip(skipped, kind);
    else for (const sample of samplesOf(join(path, name), skipped)) samples.push(sample);
    if (!kind) count++;
  }
  if (count > 0) return samples;
  throw new DataError(`${path} has no shard ${prefixes.map((prefix) => `${prefix}*.tar`).join(' or ')}.`);
}

function encoded(samples: Sample[], classes: number): EncodedSet {
  const at = (image: number) => samples[image] as Sample;
  const numbers = new Map([...new Set(samples.map(({ shard }) => shard))].map((shard, number) => [shard, number]));
  return {
    labels: labelsOf(
      samples.map(({ label }) => label),
      classes,
    ),
    shardOf: (image) => numbers.get(at(image).shard) as number,
    nameOf: (image) => `${at(image).image.name} in ${at(image).shard}`,
    async read(number) {
      const { shard, image } = at(number);
      const file = await open(shard);
      try {
        const bytes = Buffer.alloc(image.size);
        await file.read(bytes, 0, image.size, image.offset);
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

function classNames(path: string, classes: number): string[] {
  const file = join(path, 'classes.txt');
  if (!existsSync(file)) return numberedClasses(classes);
  const names = linesOf(file);
  if (names.length < classes)
    throw new DataError(`${file} names ${names.length} classes; the shards have number ${classes - 1}.`);
  return names;
}

const options = z.strictObject({ size: sizeOption });

export const shards: DatasetKind = {
  kind: 'shards',
  usage: 'shards:DIR[?size=N]',
  summary: 'tar shards train-*.tar and val-*.tar (or test-*) of KEY.jpg and KEY.cls, as WebDataset has them',
  options,
  async open(path) {
    const { place: folder, options: chosen } = sourceOptions('shards', path, options);
    if (!existsSync(folder)) throw new DataError(`The folder ${folder} of shards:${path} does not exist.`);
    const skipped: Skipped = new Map();
    const [train, test] = [readSplit(folder, ['train'], skipped), readSplit(folder, ['val', 'test'], skipped)];
    const largest = [...train, ...test].reduce((most, { label }) => Math.max(most, label), 1);
    const classes = classNames(folder, largest + 1);
    return {
      ...skippedOf(skipped),
      source: `shards:${path}`,
      classes,
      channels: 3,
      height: chosen.size,
      width: chosen.size,
      ...imagenetStatistics,
      augment: { pad: 0, flip: true },
      train: encoded(train, classes.length),
      test: encoded(test, classes.length),
    };
  },
};
