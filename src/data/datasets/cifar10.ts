import { existsSync } from 'node:fs';
import { DataError } from '../../errors.js';
import type { DatasetKind } from '../dataset.js';
import { classNames, readCifar } from '../formats/cifar.js';

const form = { labelBytes: 1, numClasses: 10 };
const batches = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}`);

export const cifar10: DatasetKind = {
  kind: 'cifar10',
  usage: 'cifar10:DIR',
  summary: 'CIFAR-10, 32x32 colour, 10 classes: data_batch_1.bin to data_batch_5.bin and test_batch.bin',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of cifar10:${path} does not exist.`);
    return {
      source: `cifar10:${path}`,
      classes: await classNames(path, ['batches.meta.txt'], form.numClasses),
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.4914, 0.4822, 0.4465],
      std: [0.2023, 0.1994, 0.201],
      augment: { pad: 4, flip: true },
      train: await readCifar(path, batches, form),
      test: await readCifar(path, ['test_batch'], form),
    };
  },
};
