import type { EffectiveAugmentOptions } from './augment/index.js';
import type { Dataset, Split } from './dataset.js';

/** Returns the padding and flip that apply to images before other augmentations. */
export const plainView = (
  { augment: usual }: Dataset,
  augment: EffectiveAugmentOptions | undefined,
): { pad: number; flip: boolean } => ({
  pad: augment?.crop === 'pad' ? (augment.pad ?? usual.pad) : 0,
  flip: augment ? (augment.flip ?? usual.flip) : false,
});

/** Returns the image numbers of samples of a split. */
export const imagesOf = ({ rows }: Split, samples: readonly number[]): readonly number[] =>
  rows ? samples.map((sample) => rows[sample] as number) : samples;
