import { existsSync } from 'node:fs';
import { DataError } from '../../errors.js';
import type { DatasetKind } from '../dataset.js';
import { readIdxSplit } from '../formats/idx.js';

const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

export const fashionMnist: DatasetKind = {
  kind: 'fashion-mnist',
  usage: 'fashion-mnist:DIR',
  summary: 'Fashion-MNIST, 28x28 gray, 10 classes: the four idx files, gzipped or not',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of fashion-mnist:${path} does not exist.`);
    return {
      source: `fashion-mnist:${path}`,
      classes,
      channels: 1,
      height: 28,
      width: 28,
      mean: [0.286],
      std: [0.353],
      augment: { pad: 2, flip: true },
      train: await readIdxSplit(path, 'train', classes.length),
      test: await readIdxSplit(path, 't10k', classes.length),
    };
  },
};
