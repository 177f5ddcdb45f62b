import { z } from '../../options.js';
import { fromArray, functions, type Tensor } from '../../tensor/index.js';
import { roundHalfEven } from '../crop.js';
import { SampleRandom, streams } from '../philox.js';
import { type Draw, insideOf, type Rectangle } from './rows.js';

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

/** torchvision's RandomErasing.get_params, behind its decision whether to erase. */
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

/** The square of DeVries and Taylor (2017), whose centre lies anywhere in the image. */
function cutSquare(random: SampleRandom, height: number, width: number, { length }: CutoutOptions): Rectangle {
  const half = Math.floor(length / 2);
  return { top: random.below(height) - half, left: random.below(width) - half, height: length, width: length };
}

/** The images with rectangles in the colour `fill`, one value a channel. */
export function erase(images: Tensor, rectangles: readonly Rectangle[], fill: readonly number[]): Tensor {
  const colour = fromArray(Float32Array.from(fill), [1, images.shape[1] as number, 1, 1], { device: images.device });
  return functions.where(insideOf(rectangles, images), colour, images);
}

/** Erases a rectangle of random place, area and ratio; `fill` is the data set's mean, which normalization makes 0. */
export function randomErasing(
  images: Tensor,
  draw: Draw,
  options: RandomErasingOptions,
  fill: readonly number[],
): Tensor {
  return eraseDrawn(
    images,
    draw,
    streams.randomErasing,
    (random, height, width) => erasedRectangle(random, height, width, options),
    fill,
  );
}

/** Erases a square, which may reach beyond the image. */
export function cutout(images: Tensor, draw: Draw, options: CutoutOptions, fill: readonly number[]): Tensor {
  return eraseDrawn(
    images,
    draw,
    streams.cutout,
    (random, height, width) => cutSquare(random, height, width, options),
    fill,
  );
}

function eraseDrawn(
  images: Tensor,
  { seed, epoch, images: numbers }: Draw,
  stream: number,
  choose: (random: SampleRandom, height: number, width: number) => Rectangle,
  fill: readonly number[],
): Tensor {
  const [, , height = 0, width = 0] = images.shape;
  const rectangles = numbers.map((number) => choose(new SampleRandom(seed, stream, number, epoch), height, width));
  return erase(images, rectangles, fill);
}
