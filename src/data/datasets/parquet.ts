import { DataError } from '../../errors.js';
import { z } from '../../options.js';
import { type DatasetKind, imagenetStatistics, labelsOf, numberedClasses } from '../dataset.js';
import { ParquetFile } from '../formats/parquet.js';
import { classNamesIn, encodedImages, imageColumn, labelColumn, labelsIn } from '../formats/parquet-images.js';
import { type Found, filesAt } from '../glob.js';
import { sizeOption, sourceOptions } from '../source-options.js';
import { type Skipped, skippedOf } from '../walk.js';

const options = z.strictObject({
  size: sizeOption,
  image: z.string().min(1).optional().describe('column of images (default image, or img)'),
  label: z.string().min(1).optional().describe('column of class numbers (default label)'),
});

// Hugging Face's split names; the first test split that exists is used.
const trainNames = ['train', 'training'];
const testNames = [
  ['validation', 'valid', 'val', 'dev'],
  ['test', 'testing', 'eval', 'evaluation'],
];

/** Finds the files of a split by its name: a word (only letters) of the file's name, or else of a folder's. */
function filesOf(found: readonly Found[], names: readonly string[]): string[] {
  const known = [trainNames, ...testNames].flat();
  const splitIn = (text: string) => text.split(/[^A-Za-z]+/).find((word) => known.includes(word));
  const splitOf = (name: string) => {
    const parts = name.replace(/\.parquet$/, '').split('/');
    return splitIn(parts.pop() ?? '') ?? parts.reverse().map(splitIn).find(Boolean) ?? '';
  };
  return found.filter(({ name }) => names.includes(splitOf(name))).map(({ file }) => file);
}

interface Split {
  files: ParquetFile[];
  images: ReturnType<typeof imageColumn>[];
  labels: number[];
  names: string[] | undefined;
}

async function openSplit(paths: readonly string[], image: readonly string[], label: readonly string[]): Promise<Split> {
  const split: Split = { files: [], images: [], labels: [], names: undefined };
  for (const path of paths) {
    const file = await ParquetFile.open(path);
    const labels = labelColumn(file, label);
    split.files.push(file);
    split.images.push(imageColumn(file, image));
    for (const number of await labelsIn(file, labels)) split.labels.push(number);
    split.names ??= classNamesIn(file, labels.name);
  }
  if (split.labels.length === 0) throw new DataError(`${paths.join(', ')}: there are no rows.`);
  return split;
}

function encoded({ files, images, labels }: Split, classes: number) {
  const wrong = labels.findIndex((label) => label >= classes);
  const set = encodedImages(files, images, labelsOf(labels, classes));
  if (wrong < 0) return set;
  throw new DataError(`${set.nameOf(wrong)} has label ${labels[wrong]}, and the last class is ${classes - 1}.`);
}

export const parquet: DatasetKind = {
  kind: 'parquet',
  usage: 'parquet:DIR_OR_GLOB[?size=N&image=COLUMN&label=COLUMN]',
  summary:
    'parquet files train*, and validation* or test*, of encoded images and class numbers, as Hugging Face has them',
  options,
  async open(path) {
    const { place, options: chosen } = sourceOptions('parquet', path, options);
    const { size, image, label } = chosen;
    const skipped: Skipped = new Map();
    const found = filesAt(place, '.parquet', skipped);
    const training = filesOf(found, trainNames);
    const testing = testNames.map((names) => filesOf(found, names)).find((files) => files.length > 0);
    if (training.length === 0 || !testing)
      throw new DataError(
        `${place} has no file ${training.length === 0 ? 'train*.parquet' : 'validation*.parquet or test*.parquet'}; splits are told by the files' names.`,
      );
    const columns = [image ? [image] : ['image', 'img'], label ? [label] : ['label']] as const;
    const [train, test] = [await openSplit(training, ...columns), await openSplit(testing, ...columns)];
    const largest = train.labels.reduce((most, number) => Math.max(most, number), 1);
    const classes = train.names ?? numberedClasses(largest + 1);
    return {
      ...skippedOf(skipped),
      source: `parquet:${path}`,
      classes,
      channels: 3,
      height: size,
      width: size,
      ...imagenetStatistics,
      augment: { pad: 0, flip: true },
      train: encoded(train, classes.length),
      test: encoded(test, classes.length),
    };
  },
};
