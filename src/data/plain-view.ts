import type { EffectiveAugmentOptions } from './augment/index.js';
import type { Dataset, Split } from './dataset.js';

/** What decides how images look before anything else is done to them. */
export const plainView = (
  { augment: usual }: Dataset,
  augment: EffectiveAugmentOptions | undefined,
): { pad: number; flip: boolean } => ({
  pad: augment?.crop === 'pad' ? (augment.pad ?? usual.pad) : 0,
  flip: augment ? (augment.flip ?? usual.flip) : false,
});

/** The images that samples of a split are. */
export const imagesOf = ({ rows }: Split, samples: readonly number[]): readonly number[] =>
  rows ? samples.map((sample) => rows[sample] as number) : samples;
