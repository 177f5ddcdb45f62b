/** The shapes with few test images: most of the time of a short run would go into evaluating all 1,200. */
import type { Dataset, ImageSet } from '../../src/data/dataset.js';
import { openDataset } from '../../src/index.js';

export async function fewShapes(trainImages: number, testImages = 60): Promise<Dataset> {
  const data = await openDataset(`shapes:${trainImages}`);
  const { images, labels } = data.test as ImageSet;
  const size = images.length / labels.length;
  return {
    ...data,
    test: { images: images.subarray(0, testImages * size), labels: labels.subarray(0, testImages) },
  };
}
