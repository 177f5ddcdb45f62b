import type { Dataset, ImageSet } from '../../src/data/dataset.js';

/** Images of 2 x 2 gray pixels, the same to train and to test with. */
export const tinyData = (set: ImageSet, numClasses: number): Dataset => ({
  source: 'made',
  classes: Array.from({ length: numClasses }, (_, i) => `class ${i}`),
  channels: 1,
  height: 2,
  width: 2,
  mean: [0],
  std: [1],
  augment: { pad: 0, flip: false },
  train: set,
  test: set,
});
