/** What is done to training images beside decoding: options, and the operators in torchvision's usual order. */
import { z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { colorJitter, colorJitterOptions } from './color-jitter.js';
import { mixOptions } from './mix.js';
import { randAugment, randAugmentOptions } from './rand-augment.js';
import { cutout, cutoutOptions, randomErasing, randomErasingOptions } from './random-erasing.js';
import { resizedCrop } from './resized-crop.js';
import type { Draw } from './rows.js';

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
/** Everything is optional; what is left out is as the data set usually has it, or does not take place. */
export type AugmentOptions = z.input<typeof augmentOptions>;
export type EffectiveAugmentOptions = z.output<typeof augmentOptions>;

/** Whether anything is done to float images. */
export function changesFloats(options: EffectiveAugmentOptions, encoded: boolean): boolean {
  const { crop, colorJitter, randAugment, randomErasing, cutout, mixup, cutmix } = options;
  const others = [colorJitter, randAugment, randomErasing, cutout, mixup, cutmix];
  return (crop === 'resized' && !encoded) || others.some((one) => one !== undefined);
}

/** Float images in 0..1, [N, C, H, W], each with its own parameters. `mean` is the colour of what is erased. */
export function augmentFloats(
  images: Tensor,
  draw: Draw,
  options: EffectiveAugmentOptions,
  { mean, encoded }: { mean: readonly number[]; encoded: boolean },
): Tensor {
  let result = images;
  if (options.crop === 'resized' && !encoded) result = resizedCrop(result, draw, options);
  if (options.randAugment) result = randAugment(result, draw, options.randAugment);
  if (options.colorJitter) result = colorJitter(result, draw, options.colorJitter);
  if (options.randomErasing) result = randomErasing(result, draw, options.randomErasing, mean);
  if (options.cutout) result = cutout(result, draw, options.cutout, mean);
  return result;
}
