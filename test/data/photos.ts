/** Small data sets out of the real photos, and what a loader makes of them. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Dataset, Loader, type LoaderOptions } from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';

export const photos = join(process.env.SRRL_TEST_DATA ?? '../shared/data', 'photos');

export const filesIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.jpg'));

/** A few of the real photos, in two classes, as a data set below `root`. */
export function smallFolder(root: string, name: string, perClass = 4): string {
  const path = join(root, name);
  for (const split of ['train', 'val'])
    for (const kind of ['daisy', 'tulips']) {
      const [from, to] = [join(photos, split, kind), join(path, split, kind)];
      mkdirSync(to, { recursive: true });
      for (const file of filesIn(from).slice(0, perClass)) copyFileSync(join(from, file), join(to, file));
    }
  return path;
}

/** Every batch of an epoch. */
export async function views(
  data: Dataset,
  options: Partial<LoaderOptions>,
  epoch = 1,
): Promise<{ images: Tensor; labels: number[] }> {
  const loader = new Loader(data, 'train', { batchSize: 3, seed: 7, shuffle: true, augment: true, ...options });
  loader.begin(epoch);
  const parts: Tensor[] = [];
  const labels: number[] = [];
  for (let step = 0; step < loader.steps; step++) {
    await loader.ready(step);
    const batch = loader.batch(step);
    parts.push(batch.images);
    labels.push(...(batch.labels.tolist() as number[]));
  }
  loader.dispose();
  return { images: torch.cat(parts), labels };
}
