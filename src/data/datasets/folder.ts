import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type DatasetKind, type EncodedSet, imagenetStatistics, labelsOf } from '../dataset.js';
import { readerBelow } from '../files.js';
import { imageExtensions, imagesBelow } from '../image-files.js';
import { sizeOption, sourceOptions } from '../source-options.js';
import { foldersIn, type Skipped, skippedOf, skippedText } from '../walk.js';

const options = z.strictObject({ size: sizeOption });

function readSplit(folder: string, classes: readonly string[], skipped: Skipped): EncodedSet {
  const stranger = foldersIn(folder).find((name) => !classes.includes(name));
  if (stranger !== undefined)
    throw new DataError(`${join(folder, stranger)} is a class that the training images do not have.`);
  const readers: ReturnType<typeof readerBelow>[] = [];
  const files: string[] = [];
  const numbers: number[] = [];
  for (const [number, name] of classes.entries()) {
    const path = join(folder, name);
    const found = existsSync(path) ? imagesBelow(path, skipped) : [];
    if (found.length === 0) {
      const text = skippedText(skipped);
      throw new DataError(`${path} holds no image (${imageExtensions})${text ? `; skipped: ${text}` : ''}.`);
    }
    // A class may be a link to another disk.
    readers.push(readerBelow(path));
    for (const file of found) {
      files.push(join(path, file));
      numbers.push(number);
    }
  }
  return {
    labels: labelsOf(numbers, classes.length),
    read: (image) => (readers[numbers[image] as number] as (typeof readers)[0])(files[image] as string),
    nameOf: (image) => files[image] as string,
  };
}

function folderOf(path: string, names: string[]): string {
  const found = names
    .map((name) => join(path, name))
    .find((folder) => existsSync(folder) && statSync(folder).isDirectory());
  if (found) return found;
  throw new DataError(
    `${path} has no folder ${names.join(' or ')}: a data set is train/<class>/*.jpg and val/<class>/*.jpg.`,
  );
}

export const imageFolder: DatasetKind = {
  kind: 'folder',
  usage: 'folder:DIR[?size=N]',
  summary: 'photos in train/<class>/ and val/<class>/ (or test/), seen at N x N pixels (default 224)',
  options,
  async open(path) {
    const { place: folder, options: chosen } = sourceOptions('folder', path, options);
    const { size: pixels } = chosen;
    if (!existsSync(folder)) throw new DataError(`The folder ${folder} of folder:${path} does not exist.`);
    const training = folderOf(folder, ['train']);
    const classes = foldersIn(training);
    if (classes.length < 2)
      throw new DataError(`${training} has ${classes.length} folders of classes; there must be at least two.`);
    const skipped: Skipped = new Map();
    const train = readSplit(training, classes, skipped);
    const test = readSplit(folderOf(folder, ['val', 'test']), classes, skipped);
    return {
      ...skippedOf(skipped),
      source: `folder:${path}`,
      classes,
      channels: 3,
      height: pixels,
      width: pixels,
      ...imagenetStatistics,
      augment: { pad: 0, flip: true },
      train,
      test,
    };
  },
};
