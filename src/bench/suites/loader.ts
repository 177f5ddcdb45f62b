import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../data/datasets/index.js';
import { Loader } from '../../data/loader.js';
import { epochSpeed } from '../epochs.js';
import { drawPhotos } from '../photos.js';
import type { BenchContext, OpenCase, Suite } from '../suite.js';

/**
 * Processes that decode on the peer's side. Our side decodes in threads of one process, the loader's default number.
 */
const workers = 2;

export const loaderSuite: Suite = {
  name: 'loader',
  summary: `JPEG files to batches of random parts at 224x224, flipped and normalized; against ${workers} worker processes`,
  peer: 'loader.py',
  rounds: 5,
  cpuOnly: 'the CPU decodes JPEG files',
  cases: (context) => [
    {
      name: context.photos === undefined ? 'synthetic photos' : 'photos',
      unit: 'images/s',
      better: 'higher',
      peers: [{ name: 'DataLoader, Pillow', variant: 'pillow' }],
      open: () => open(context),
    },
  ],
};

async function open({ tiny, folder, photos }: BenchContext): Promise<OpenCase> {
  const place = photos ?? join(folder, 'photos');
  if (!existsSync(place)) await drawPhotos(place, tiny ? 4 : 384);
  const [batchSize, size] = [tiny ? 2 : 32, 224];
  const data = await openDataset(`folder:${place}?size=${size}`);
  const loader = new Loader(data, 'train', { batchSize, shuffle: true, augment: true });
  let epoch = 0;
  return {
    question: { folder: join(place, 'train'), batchSize, size, workers, mean: data.mean, std: data.std },
    check: () => ({ images: loader.count, 'batches an epoch': loader.steps }),
    measure: () => epochSpeed(loader, epoch++),
    dispose: () => loader.dispose(),
  };
}
