import { join } from 'node:path';
import { Loader } from '../../data/loader.js';
import { savePth } from '../../files/index.js';
import { DeviceGraph, fromArray, scope } from '../../tensor/index.js';
import { CapturedEpochs, epochSpeed } from '../epochs.js';
import { gpuForms } from '../forms.js';
import { batches, noise, type Pair, pairs } from '../pairs.js';
import { caseSuffix } from '../sizes.js';
import type { BenchContext, Case, OpenCase, PeerForm, Suite } from '../suite.js';

const peers: readonly PeerForm[] = [
  { name: 'transforms of each image, Pillow', variant: 'each' },
  { name: 'transforms of each image, Pillow, 2 workers', variant: 'workers' },
  { name: 'whole batches of tensors', variant: 'batch' },
];
const onGpu = gpuForms('a batch', [{ name: 'whole batches of tensors', variant: 'batch' }]);

export const augmentSuite: Suite = {
  name: 'augment',
  summary: '32x32 images in memory to batches: cropped out of a border, flipped, normalized',
  peer: 'augment.py',
  rounds: 7,
  cases: (context) =>
    sizes(context).map(
      (batchSize): Case => ({
        name: `CIFAR views${caseSuffix(context, batchSize)}`,
        unit: 'images/s',
        better: 'higher',
        peers: context.device === 'cpu' ? peers : onGpu,
        open: () => open(batchSize, context),
      }),
    ),
};

const usual = pairs[0] as Pair;

function sizes({ tiny, device }: BenchContext): readonly number[] {
  if (tiny) return [4];
  return device === 'cpu' ? [usual.batchSize] : usual.gpuBatchSizes;
}

function open(batchSize: number, { tiny, folder, device }: BenchContext): OpenCase {
  const images = tiny ? 8 : 8192;
  const data = noise({ ...usual, batchSize: images / batches });
  const { train, mean, std, augment } = data;
  if (!('images' in train)) throw new TypeError('noise is in memory');
  const file = join(folder, 'images.pth');
  scope(() => savePth(file, { images: fromArray(train.images, [images, 3, data.height, data.width]) }));
  const loader = new Loader(data, 'train', { batchSize, shuffle: true, augment: true, device });
  const captured = DeviceGraph.availableOn(device) ? new CapturedEpochs(loader) : undefined;
  let epoch = 0;
  return {
    question: { file, batchSize, pad: augment.pad, mean, std, device },
    check: () => ({ images: loader.count, 'batches an epoch': loader.steps }),
    measure: () => captured?.speed(epoch++) ?? epochSpeed(loader, epoch++),
    dispose() {
      captured?.dispose();
      loader.dispose();
    },
  };
}
