import { z } from '../../options.js';
import { SampleRandom, streams } from '../philox.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './color.js';
import type { Augmentation } from './rows.js';

const share = z.number().min(0).default(0);

export const colorJitterOptions = z.strictObject({
  brightness: share.describe('factor from max(0, 1 - brightness) to 1 + brightness'),
  contrast: share.describe('likewise'),
  saturation: share.describe('likewise'),
  hue: z.number().min(0).max(0.5).default(0).describe('part of the circle, from -hue to hue'),
});
export type ColorJitterOptions = z.output<typeof colorJitterOptions>;

const adjustments = [
  { name: 'brightness', adjust: adjustBrightness },
  { name: 'contrast', adjust: adjustContrast },
  { name: 'saturation', adjust: adjustSaturation },
  { name: 'hue', adjust: adjustHue },
] as const;

/** Draws the four factors of an image in the order above, and the order in which they are applied. */
export function jitterParameters(
  random: SampleRandom,
  options: ColorJitterOptions,
): { factors: number[]; order: number[] } {
  const factors = adjustments.map(({ name }) => {
    const range = options[name];
    return name === 'hue' ? random.uniform(-range, range) : random.uniform(Math.max(0, 1 - range), 1 + range);
  });
  const order = adjustments.map((_, i) => ({ i, key: random.bits() }));
  return { factors, order: order.sort((a, b) => a.key - b.key).map(({ i }) => i) };
}

/** torchvision's ColorJitter: brightness, contrast, saturation and hue, in a random order for each image. */
export function colorJitter(options: ColorJitterOptions): Augmentation {
  const used = adjustments.flatMap(({ name, adjust }, which) => (options[name] === 0 ? [] : [{ which, adjust }]));
  const isUsed = (which: number) => used.some((one) => one.which === which);
  return {
    columns: 2 * used.length,
    draw({ seed, epoch, image }) {
      const { factors, order } = jitterParameters(new SampleRandom(seed, streams.colorJitter, image, epoch), options);
      return [...order.filter(isUsed), ...used.map(({ which }) => factors[which] as number)];
    },
    apply(images, parameters) {
      let result = images;
      for (const position of used.keys()) {
        for (const [i, { which, adjust }] of used.entries())
          result = parameters.where(position, which, result, (some, theirs) =>
            adjust(some, theirs.column(used.length + i)),
          );
      }
      return result;
    },
  };
}
