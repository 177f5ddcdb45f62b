import type { DatasetKind } from '../dataset.js';
import { type CifarLayout, openCifar } from '../formats/cifar.js';

const layout: CifarLayout = {
  kind: 'cifar10',
  labelBytes: 1,
  numClasses: 10,
  train: [1, 2, 3, 4, 5].map((number) => `data_batch_${number}`),
  test: ['test_batch'],
  names: 'batches.meta.txt',
  python: { meta: 'batches.meta', names: 'label_names', labels: 'labels' },
  folders: ['cifar-10-batches-bin', 'cifar-10-batches-py'],
};

export const cifar10: DatasetKind = {
  kind: 'cifar10',
  usage: 'cifar10:DIR',
  summary:
    'CIFAR-10, 32x32 color, 10 classes: data_batch_1 to data_batch_5 and test_batch, binary or as Python pickles',
  async open(path) {
    return {
      source: `cifar10:${path}`,
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.4914, 0.4822, 0.4465],
      std: [0.2023, 0.1994, 0.201],
      augment: { pad: 4, flip: true },
      ...(await openCifar(path, layout)),
    };
  },
};
