import { existsSync } from 'node:fs';
import { DataError } from '../../errors.js';
import type { DatasetKind } from '../dataset.js';
import { classNames, readCifar } from '../formats/cifar.js';

/** The coarse label stands before the fine one. */
const form = { labelBytes: 2, numClasses: 100 };

export const cifar100: DatasetKind = {
  kind: 'cifar100',
  usage: 'cifar100:DIR',
  summary: 'CIFAR-100, 32x32 colour, 100 classes: train.bin and test.bin, or the same packed by xz',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of cifar100:${path} does not exist.`);
    return {
      source: `cifar100:${path}`,
      classes: await classNames(path, ['fine_label_names.txt'], form.numClasses),
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.5071, 0.4867, 0.4408],
      std: [0.2675, 0.2565, 0.2761],
      augment: { pad: 4, flip: true },
      train: await readCifar(path, ['train'], form),
      test: await readCifar(path, ['test'], form),
    };
  },
};
