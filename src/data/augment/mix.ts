/** Mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019), drawn for each image. */
import { z } from '../../options.js';
import { functions, type Tensor } from '../../tensor/index.js';
import { SampleRandom, streams } from '../philox.js';
import { type Draw, insideOf, type Parameters, type Rectangle, rectangleNumbers } from './rows.js';

export const mixOptions = z.strictObject({
  alpha: z.number().positive().default(1).describe('of the Beta(alpha, alpha) from which the share of an image comes'),
});

export interface MixOptions {
  mixup?: z.output<typeof mixOptions> | undefined;
  cutmix?: z.output<typeof mixOptions> | undefined;
}

/** How an image is mixed with another one. */
export interface Mix {
  /** The number of the other sample in the split, 0 to count - 1. */
  partner: number;
  /** The weight of the image itself, as drawn. */
  share: number;
  kind: 'mixup' | 'cutmix';
  /** The center of the pasted rectangle, as fractions of width and height. */
  center: readonly [x: number, y: number];
}

function normal(random: SampleRandom): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

/** Draws from a gamma distribution. Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
function gamma(random: SampleRandom, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = normal(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Draws from Beta(alpha, alpha). */
export function beta(random: SampleRandom, alpha: number): number {
  const [a, b] = [gamma(random, alpha), gamma(random, alpha)];
  return a + b > 0 ? a / (a + b) : random.below(2);
}

/** Draws each image's partner out of `count` and its weight; with both mixup and CutMix, one of them per image. */
export function drawMixes({ seed, epoch, images }: Draw, count: number, { mixup, cutmix }: MixOptions): Mix[] {
  return images.map((image) => {
    const random = new SampleRandom(seed, streams.mix, image, epoch);
    const kind =
      mixup && cutmix ? ((['mixup', 'cutmix'] as const)[random.below(2)] ?? 'mixup') : mixup ? 'mixup' : 'cutmix';
    const partner = random.below(count);
    const center = [random.uniform(), random.uniform()] as const;
    const { alpha } = (kind === 'mixup' ? mixup : cutmix) ?? { alpha: 1 };
    return { partner, kind, center, share: beta(random, alpha) };
  });
}

/** Returns torchvision's CutMix rectangle, clipped to the image; empty for mixup. */
function pasted({ kind, share, center: [x, y] }: Mix, height: number, width: number): Rectangle {
  if (kind === 'mixup') return { top: 0, left: 0, height: 0, width: 0 };
  const half = 0.5 * Math.sqrt(1 - share);
  const span = (at: number, size: number) => {
    const [center, reach] = [Math.floor(at * size), Math.trunc(half * size)];
    const begin = Math.max(0, center - reach);
    return [begin, Math.min(size, center + reach) - begin] as const;
  };
  const [[left, w], [top, h]] = [span(x, width), span(y, height)];
  return { top, left, height: h, width: w };
}

/** The length of the result of {@link mixNumbers}. */
export const mixColumns = 6;

/** Returns what {@link mix} needs for an image: weights of its pixels and label, and the pasted rectangle. */
export function mixNumbers(one: Mix, height: number, width: number): number[] {
  const rectangle = pasted(one, height, width);
  const rest = 1 - (rectangle.height * rectangle.width) / (height * width);
  const [pixels, label] = one.kind === 'mixup' ? [one.share, one.share] : [1, rest];
  return [pixels, label, ...rectangleNumbers(rectangle)];
}

/**
 * Mixes images [N, C, H, W] and one-hot labels [N, K] with those of their partners, row by row. CutMix weights labels
 * by the area that was pasted.
 */
export function mix(
  own: { images: Tensor; labels: Tensor },
  partners: { images: Tensor; labels: Tensor },
  mixes: Parameters,
): { images: Tensor; labels: Tensor } {
  const blended = weigh(own.images, partners.images, mixes.column(0));
  const images = functions.where(insideOf(mixes.from(2), own.images), partners.images, blended);
  return { images, labels: weigh(own.labels, partners.labels, mixes.columns(1, 1)) };
}

const weigh = (a: Tensor, b: Tensor, share: Tensor): Tensor => a.mul(share).add(b.mul(share.neg().add(1)));
