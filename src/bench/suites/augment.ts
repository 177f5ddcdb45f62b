import { join } from 'node:path';
import { Loader } from '../../data/loader.js';
import { savePth } from '../../files/index.js';
import { fromArray, scope } from '../../tensor/index.js';
import { epochSpeed } from '../epochs.js';
import { batches, noise, type Pair, pairs } from '../pairs.js';
import type { BenchContext, OpenCase, Suite } from '../suite.js';

export const augmentSuite: Suite = {
  name: 'augment',
  summary: '32x32 images in memory to batches: cropped out of a border, flipped, normalized',
  peer: 'augment.py',
  rounds: 7,
  cases: (context) => [
    {
      name: 'CIFAR views',
      unit: 'images/s',
      better: 'higher',
      peers: [
        { name: 'transforms of each image, Pillow', variant: 'each' },
        { name: 'transforms of each image, Pillow, 2 workers', variant: 'workers' },
        { name: 'whole batches of tensors', variant: 'batch' },
      ],
      open: () => open(context),
    },
  ],
};

function open({ tiny, folder }: BenchContext): OpenCase {
  const images = tiny ? 8 : 8192;
  const data = noise({ ...(pairs[0] as Pair), batchSize: images / batches });
  const { train, mean, std, augment } = data;
  if (!('images' in train)) throw new TypeError('noise is in memory');
  const file = join(folder, 'images.pth');
  scope(() => savePth(file, { images: fromArray(train.images, [images, 3, data.height, data.width]) }));
  const batchSize = tiny ? 4 : 64;
  const loader = new Loader(data, 'train', { batchSize, shuffle: true, augment: true });
  let epoch = 0;
  return {
    question: { file, batchSize, pad: augment.pad, mean, std },
    check: () => ({ images: loader.count, 'batches an epoch': loader.steps }),
    measure: () => epochSpeed(loader, epoch++),
    dispose: () => loader.dispose(),
  };
}
