import type { DatasetKind } from '../dataset.js';
import { type CifarLayout, openCifar } from '../formats/cifar.js';

const layout: CifarLayout = {
  kind: 'cifar100',
  // The coarse label precedes the fine one.
  labelBytes: 2,
  numClasses: 100,
  train: ['train'],
  test: ['test'],
  names: 'fine_label_names.txt',
  python: { meta: 'meta', names: 'fine_label_names', labels: 'fine_labels' },
  folders: ['cifar-100-binary', 'cifar-100-python'],
};

export const cifar100: DatasetKind = {
  kind: 'cifar100',
  usage: 'cifar100:DIR',
  summary: 'CIFAR-100, 32x32 color, 100 classes: train and test, binary, the same packed by xz, or as Python pickles',
  async open(path) {
    return {
      source: `cifar100:${path}`,
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.5071, 0.4867, 0.4408],
      std: [0.2675, 0.2565, 0.2761],
      augment: { pad: 4, flip: true },
      ...(await openCifar(path, layout)),
    };
  },
};
