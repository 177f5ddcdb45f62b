import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type DatasetKind, type EncodedSet, imagenetStatistics, labelsOf } from '../dataset.js';
import { type TarEntry, tarEntries } from '../formats/tar.js';
import { sizeOption, sourceOptions } from '../source-options.js';

/** Where an image lies, and its class number. */
interface Sample {
  shard: string;
  image: TarEntry;
  label: number;
}

/** The pairs KEY.jpg and KEY.cls of one shard; the key is what stands before the first dot of the name. */
function samplesOf(shard: string): Sample[] {
  const images = new Map<string, TarEntry>();
  const labels = new Map<string, TarEntry>();
  for (const entry of tarEntries(shard)) {
    const [, key, extension = ''] = entry.name.match(/^((?:.*\/)?[^./][^./]*)\.(.+)$/) ?? [];
    if (key === undefined) continue;
    if (/^(jpe?g|png|webp)$/i.test(extension)) images.set(key, entry);
    else if (extension === 'cls') labels.set(key, entry);
  }
  if (images.size === 0) throw new DataError(`${shard} holds no image (KEY.jpg, .png or .webp).`);
  const descriptor = openSync(shard, 'r');
  try {
    return [...images].map(([key, image]) => {
      const entry = labels.get(key);
      if (!entry) throw new DataError(`${shard} has ${image.name}, and no ${key}.cls with its class number.`);
      const bytes = Buffer.alloc(entry.size);
      readSync(descriptor, bytes, 0, entry.size, entry.offset);
      const label = Number(bytes.toString('latin1').trim());
      if (!(Number.isInteger(label) && label >= 0))
        throw new DataError(`${shard}: ${entry.name} holds no class number.`);
      return { shard, image, label };
    });
  } finally {
    closeSync(descriptor);
  }
}

function readSplit(path: string, prefixes: string[]): Sample[] {
  const shards = readdirSync(path)
    .filter((file) => file.endsWith('.tar') && prefixes.some((prefix) => file.startsWith(prefix)))
    .sort();
  if (shards.length === 0)
    throw new DataError(`${path} has no shard ${prefixes.map((prefix) => `${prefix}*.tar`).join(' or ')}.`);
  return shards.flatMap((shard) => samplesOf(join(path, shard)));
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
  if (!existsSync(file)) return Array.from({ length: classes }, (_, i) => `class ${i}`);
  const names = readFileSync(file, 'utf8').trim().split(/\r?\n/);
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
    const [train, test] = [readSplit(folder, ['train']), readSplit(folder, ['val', 'test'])];
    const largest = [...train, ...test].reduce((most, { label }) => Math.max(most, label), 1);
    const classes = classNames(folder, largest + 1);
    return {
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
