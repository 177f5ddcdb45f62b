/** Augmentation of training images after decoding: options, and the operators in torchvision's usual order. */
import { z } from '../../options.js';
import { colorJitter, colorJitterOptions } from './color-jitter.js';
import { mixOptions } from './mix.js';
import { randAugment, randAugmentOptions } from './rand-augment.js';
import { cutout, cutoutOptions, randomErasing, randomErasingOptions } from './random-erasing.js';
import type { Augmentation } from './rows.js';

const range = (low: number, high: number) =>
  z
    .tuple([z.number().positive(), z.number().positive()])
    .refine(([from, to]) => from <= to, 'must be [smallest, largest]')
    .default([low, high]);

export const augmentOptions = z.strictObject({
  crop: z
    .enum(['pad', 'resized', 'none'])
    .optional()
    .describe('out of zeros around the image, or a part resized; default: resized for encoded images, else pad'),
  pad: z.int().min(0).optional().describe("zeros around the image; default: the data set's"),
  scale: range(0.08, 1)
    .refine(([, most]) => most <= 1, 'must not exceed 1')
    .describe("share of the image's area, for resized"),
  ratio: range(3 / 4, 4 / 3).describe('width to height, for resized'),
  flip: z.boolean().optional().describe("left to right, half of the time; default: the data set's"),
  colorJitter: colorJitterOptions.optional(),
  randAugment: randAugmentOptions.optional(),
  randomErasing: randomErasingOptions.optional(),
  cutout: cutoutOptions.optional(),
  mixup: mixOptions.optional(),
  cutmix: mixOptions.optional(),
});
/** All options are optional; those left out take the data set's default, or are off. */
export type AugmentOptions = z.input<typeof augmentOptions>;
export type EffectiveAugmentOptions = z.output<typeof augmentOptions>;

/** Whether a random part of each image in memory is cropped and resized, for which the host must know its size. */
export const cropsFloats = ({ crop }: EffectiveAugmentOptions, encoded: boolean): boolean =>
  crop === 'resized' && !encoded;

/** Whether any augmentation applies to float images. */
export function changesFloats(options: EffectiveAugmentOptions, encoded: boolean): boolean {
  const { mixup, cutmix } = options;
  return cropsFloats(options, encoded) || mixup !== undefined || cutmix !== undefined || drawn(options).length > 0;
}

/**
 * The augmentations of float images in 0..1 by random numbers per image, in order. `mean` is the fill color of erased
 * rectangles.
 */
function drawn(options: EffectiveAugmentOptions, mean: readonly number[] = []): Augmentation[] {
  const { randAugment: operators, colorJitter: jitter, randomErasing: erased, cutout: cut } = options;
  return [
    ...(operators ? [randAugment(operators)] : []),
    ...(jitter ? [colorJitter(jitter)] : []),
    ...(erased ? [randomErasing(erased, mean)] : []),
    ...(cut ? [cutout(cut, mean)] : []),
  ];
}

/** Combines all augmentations of float images into one. */
export function floatAugmentation(options: EffectiveAugmentOptions, mean: readonly number[]): Augmentation {
  const list = drawn(options, mean);
  return {
    columns: list.reduce((sum, { columns }) => sum + columns, 0),
    draw: (image) => list.flatMap((one) => one.draw(image)),
    apply(images, parameters) {
      let [result, first] = [images, 0];
      for (const one of list) {
        result = one.apply(result, parameters.from(first));
        first += one.columns;
      }
      return result;
    },
  };
}
