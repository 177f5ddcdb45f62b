import { z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { roundHalfEven } from '../crop.js';
import { SampleRandom, streams } from '../philox.js';
import { type AffineMap, affine } from './affine.js';
import { adjustBrightness, adjustContrast, adjustSaturation } from './color.js';
import { type Draw, onRows, perImage, rowsWhere } from './rows.js';
import { adjustSharpness, autocontrast, equalize, posterize, solarize } from './tone.js';

const bins = 31;

export const randAugmentOptions = z.strictObject({
  n: z.int().min(1).default(2).describe('operators an image'),
  m: z
    .int()
    .min(0)
    .max(bins - 1)
    .default(9)
    .describe('strength, 0 to 30'),
});
export type RandAugmentOptions = z.output<typeof randAugmentOptions>;

interface Operator {
  /** The magnitude at bin `m` of images of this size. */
  magnitude(m: number, height: number, width: number): number;
  /** Whether the magnitude is negated half of the time. */
  signed: boolean;
  apply(images: Tensor, magnitudes: number[]): Tensor;
}

const upTo = (most: number) => (m: number) => (most * m) / (bins - 1);
const degrees = (slope: number) => (Math.atan(slope) * 180) / Math.PI;
const mapped = (map: (magnitude: number) => AffineMap) => (images: Tensor, magnitudes: number[]) =>
  affine(images, magnitudes.map(map));
const adjusted = (adjust: (images: Tensor, factor: Tensor) => Tensor) => (images: Tensor, magnitudes: number[]) =>
  adjust(
    images,
    perImage(
      magnitudes.map((magnitude) => 1 + magnitude),
      images.device,
    ),
  );

/** torchvision's augmentation space and magnitudes. */
export const operators: Record<string, Operator> = {
  identity: { magnitude: () => 0, signed: false, apply: (images) => images },
  shearX: { magnitude: upTo(0.3), signed: true, apply: mapped((m) => ({ shear: [degrees(m), 0], center: [0, 0] })) },
  shearY: { magnitude: upTo(0.3), signed: true, apply: mapped((m) => ({ shear: [0, degrees(m)], center: [0, 0] })) },
  translateX: {
    magnitude: (m, _, width) => upTo((150 / 331) * width)(m),
    signed: true,
    apply: mapped((m) => ({ translate: [Math.trunc(m), 0] })),
  },
  translateY: {
    magnitude: (m, height) => upTo((150 / 331) * height)(m),
    signed: true,
    apply: mapped((m) => ({ translate: [0, Math.trunc(m)] })),
  },
  // rotate() turns counter-clockwise.
  rotate: { magnitude: upTo(30), signed: true, apply: mapped((m) => ({ angle: -m })) },
  brightness: { magnitude: upTo(0.9), signed: true, apply: adjusted(adjustBrightness) },
  color: { magnitude: upTo(0.9), signed: true, apply: adjusted(adjustSaturation) },
  contrast: { magnitude: upTo(0.9), signed: true, apply: adjusted(adjustContrast) },
  sharpness: { magnitude: upTo(0.9), signed: true, apply: adjusted(adjustSharpness) },
  posterize: {
    magnitude: (m) => 8 - roundHalfEven((4 * m) / (bins - 1)),
    signed: false,
    apply: (images, bits) =>
      posterize(
        images,
        perImage(
          bits.map((bit) => 2 ** bit),
          images.device,
        ),
      ),
  },
  solarize: {
    magnitude: (m) => 1 - m / (bins - 1),
    signed: false,
    apply: (images, thresholds) => solarize(images, perImage(thresholds, images.device)),
  },
  autoContrast: { magnitude: () => 0, signed: false, apply: autocontrast },
  equalize: { magnitude: () => 0, signed: false, apply: equalize },
};
const names = Object.keys(operators);

/** torchvision's RandAugment: `n` operators of strength `m` an image, each chosen anew, with the nearest pixel and black outside. */
export function randAugment(
  images: Tensor,
  { seed, epoch, images: numbers }: Draw,
  { n, m }: RandAugmentOptions,
): Tensor {
  const [, , height = 0, width = 0] = images.shape;
  const drawn = numbers.map((number) => {
    const random = new SampleRandom(seed, streams.randAugment, number, epoch);
    return Array.from({ length: n }, () => ({
      name: names[random.below(names.length)],
      sign: random.below(2) ? 1 : -1,
    }));
  });
  let result = images;
  for (let layer = 0; layer < n; layer++) {
    for (const [name, { magnitude, signed, apply }] of Object.entries(operators)) {
      const rows = rowsWhere(drawn, (layers) => layers[layer]?.name === name);
      const strength = magnitude(m, height, width);
      const strengths = rows.map((row) => (signed ? strength * (drawn[row]?.[layer]?.sign ?? 1) : strength));
      result = onRows(result, rows, (some) => apply(some, strengths));
    }
  }
  return result;
}
