import { z } from '../../options.js';
import type { Tensor } from '../../tensor/index.js';
import { SampleRandom, streams } from '../philox.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './color.js';
import { type Draw, onRows, perImage, rowsWhere } from './rows.js';

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

/** The four factors of an image in the order above, and the order in which they take effect. */
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

/** torchvision's ColorJitter: brightness, contrast, saturation and hue, in an order of each image's own. */
export function colorJitter(
  images: Tensor,
  { seed, epoch, images: numbers }: Draw,
  options: ColorJitterOptions,
): Tensor {
  const drawn = numbers.map((number) =>
    jitterParameters(new SampleRandom(seed, streams.colorJitter, number, epoch), options),
  );
  let result = images;
  for (const position of adjustments.keys()) {
    for (const [which, { name, adjust }] of adjustments.entries()) {
      if (options[name] === 0) continue;
      const rows = rowsWhere(drawn, ({ order }) => order[position] === which);
      const factors = rows.map((row) => drawn[row]?.factors[which] as number);
      result = onRows(result, rows, (some) => adjust(some, perImage(factors, some.device)));
    }
  }
  return result;
}
