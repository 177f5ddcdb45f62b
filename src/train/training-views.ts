import type { LoaderOptions } from '../data/loader.js';
import type { EffectiveTrainOptions } from './options.js';

/** Returns the loader options for training images. */
export function trainingViews(options: EffectiveTrainOptions): LoaderOptions {
  const { batchSize, seed, dataSeed = seed, views, augment, augmentation, device } = options;
  return {
    batchSize,
    smallestBatch: Math.min(2, batchSize),
    device,
    seed: dataSeed,
    shuffle: true,
    augment: augmentation ?? augment,
    ...(views !== undefined && { views }),
  };
}
