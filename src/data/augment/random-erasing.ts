import { z } from '../../options.js';
import { functions, type Tensor } from '../../tensor/index.js';
import { roundHalfEven } from '../crop.js';
import { SampleRandom, streams } from '../philox.js';
import { type Augmentation, insideOf, type Parameters, perChannel, type Rectangle, rectangleNumbers } from './rows.js';

const range = (low: number, high: number, most = Number.MAX_VALUE) =>
  z
    .tuple([z.number().positive().max(most), z.number().positive().max(most)])
    .refine(([from, to]) => from <= to, 'must be [smallest, largest]')
    .default([low, high]);

export const randomErasingOptions = z.strictObject({
  p: z.number().min(0).max(1).default(0.5).describe('how often'),
  scale: range(0.02, 0.33, 1).describe('share of the area'),
  ratio: range(0.3, 3.3).describe('height to width'),
});
export type RandomErasingOptions = z.output<typeof randomErasingOptions>;

export const cutoutOptions = z.strictObject({
  length: z.int().min(1).default(16).describe('side of the square, in pixels'),
});
export type CutoutOptions = z.output<typeof cutoutOptions>;

const nothing: Rectangle = { top: 0, left: 0, height: 0, width: 0 };
const attempts = 10;

/** Decides whether to erase, then draws torchvision's RandomErasing.get_params; an empty rectangle if not. */
export function erasedRectangle(
  random: SampleRandom,
  height: number,
  width: number,
  options: RandomErasingOptions,
): Rectangle {
  if (random.uniform() >= options.p) return nothing;
  const [lowest, highest] = options.ratio.map(Math.log) as [number, number];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const area = height * width * random.uniform(...options.scale);
    const shape = Math.exp(random.uniform(lowest, highest));
    const [h, w] = [roundHalfEven(Math.sqrt(area * shape)), roundHalfEven(Math.sqrt(area / shape))];
    if (h < height && w < width)
      return { top: random.below(height - h + 1), left: random.below(width - w + 1), height: h, width: w };
  }
  return nothing;
}

/** Draws the square of DeVries and Taylor (2017), whose center is anywhere in the image. */
function cutSquare(random: SampleRandom, height: number, width: number, { length }: CutoutOptions): Rectangle {
  const half = Math.floor(length / 2);
  return { top: random.below(height) - half, left: random.below(width) - half, height: length, width: length };
}

/** Fills one rectangle per image with the color `fill`, one value per channel. */
export function erase(images: Tensor, rectangles: Parameters, fill: readonly number[]): Tensor {
  return functions.where(insideOf(rectangles, images), perChannel(fill, images.device), images);
}

/** Erases a rectangle of random position, area and ratio; `fill` is the data set's mean, which normalizes to 0. */
export const randomErasing = (options: RandomErasingOptions, fill: readonly number[]): Augmentation =>
  erasing(streams.randomErasing, (random, height, width) => erasedRectangle(random, height, width, options), fill);

/** Erases a square, which may extend beyond the image. */
export const cutout = (options: CutoutOptions, fill: readonly number[]): Augmentation =>
  erasing(streams.cutout, (random, height, width) => cutSquare(random, height, width, options), fill);

const erasing = (
  stream: number,
  choose: (random: SampleRandom, height: number, width: number) => Rectangle,
  fill: readonly number[],
): Augmentation => ({
  columns: 4,
  draw: ({ seed, epoch, image, height, width }) =>
    rectangleNumbers(choose(new SampleRandom(seed, stream, image, epoch), height, width)),
  apply: (images, parameters) => erase(images, parameters, fill),
});
