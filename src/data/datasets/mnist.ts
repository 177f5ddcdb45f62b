import { existsSync } from 'node:fs';
import { DataError } from '../../errors.js';
import type { DatasetKind } from '../dataset.js';
import { readIdxSplit } from '../formats/idx.js';

const classes = Array.from({ length: 10 }, (_, digit) => String(digit));

export const mnist: DatasetKind = {
  kind: 'mnist',
  usage: 'mnist:DIR',
  summary: 'MNIST, 28x28 gray, 10 digits: the four idx files, gzipped or not',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of mnist:${path} does not exist.`);
    return {
      source: `mnist:${path}`,
      classes,
      channels: 1,
      height: 28,
      width: 28,
      mean: [0.1307],
      std: [0.3081],
      augment: { pad: 2, flip: false },
      train: await readIdxSplit(path, 'train', classes.length),
      test: await readIdxSplit(path, 't10k', classes.length),
    };
  },
};
