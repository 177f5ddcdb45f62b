import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type DatasetKind, type EncodedSet, imagenetStatistics, labelsOf } from '../dataset.js';
import { sizeOption, sourceOptions } from '../source-options.js';

const isImage = (file: string): boolean => /\.(jpe?g|png|webp)$/i.test(file);
const options = z.strictObject({ size: sizeOption });

/** Folders below one, in the order in which classes are numbered. */
function subfolders(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

function readSplit(folder: string, classes: readonly string[]): EncodedSet {
  const stranger = subfolders(folder).find((name) => !classes.includes(name));
  if (stranger !== undefined)
    throw new DataError(`${join(folder, stranger)} is a class that the training images do not have.`);
  const files: string[] = [];
  const numbers: number[] = [];
  for (const [number, name] of classes.entries()) {
    const path = join(folder, name);
    const found = existsSync(path) ? (readdirSync(path, { recursive: true }) as string[]).filter(isImage).sort() : [];
    if (found.length === 0) throw new DataError(`${path} holds no image (.jpg, .jpeg, .png or .webp).`);
    for (const file of found) {
      files.push(join(path, file));
      numbers.push(number);
    }
  }
  return {
    labels: labelsOf(numbers, classes.length),
    // A small file that lies in the page cache is read sooner than a thread is found to do it.
    read: async (image) => readFileSync(files[image] as string),
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
    const classes = subfolders(training);
    if (classes.length < 2)
      throw new DataError(`${training} has ${classes.length} folders of classes; there must be at least two.`);
    return {
      source: `folder:${path}`,
      classes,
      channels: 3,
      height: pixels,
      width: pixels,
      ...imagenetStatistics,
      augment: { pad: 0, flip: true },
      train: readSplit(training, classes),
      test: readSplit(folderOf(folder, ['val', 'test']), classes),
    };
  },
};
