// Arguments of our own operators that their arithmetic cannot hold are refused: signed overflow and division by zero are
// undefined, and the second ends the process.
import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { pixelsFor } from '../../src/data/decode.js';
import { decodeTurbo } from '../../src/data/turbo-jpeg.js';
import { callOverload, overloadOf } from '../../src/tensor/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

const call = (name: string, ...args: unknown[]) => callOverload(overloadOf(`srrl::${name}`), args);
const largest = 2n ** 63n - 1n;

describe('views', () => {
  const images = () => torch.zeros([2, 1, 4, 4], { dtype: 'uint8' });
  const rows = () => torch.tensor([0, 1], { dtype: 'int64' });

  it.each([2n ** 30n + 1n, 2n ** 62n, largest])('refuse %s zeros around the image', (pad) => {
    expect(() => call('view_draws', [0, 1], pad, true, 1, 0)).toThrow(/pad must be between 0 and/);
    expect(() => call('normalized_views', images(), rows(), [0], [1], pad, true, 1, 0)).toThrow(
      /pad must be between 0 and/,
    );
  });

  it('are all zeros but for the normalization where the part lies far outside', () => {
    const far = call('normalized_views', images().add(9), rows(), [0.5], [0.5], 2 ** 30, false, 1, 0) as Tensor;
    expect(far.eq(-1).all().item()).toBe(true);
  });

  it('of images without pixels are empty', () => {
    const pixels = torch.zeros([2, 3, 0, 3], { dtype: 'uint8' });
    const flips = torch.tensor([true, false]);
    const made = call('normalized_pixels', pixels, flips, [0, 0, 0], [1, 1, 1]) as Tensor;
    expect(made.shape).toEqual([2, 3, 3, 0]);
  });

  it('of negative seeds and epochs are as reproducible as others', () => {
    const draws = () => (call('view_draws', [0, 1, 2], 4, true, -largest, -1) as Tensor).tolist();
    expect(draws()).toEqual(draws());
  });
});

const installed = (() => {
  try {
    return createRequire(import.meta.url).resolve('@julusian/jpeg-turbo');
  } catch {
    return undefined;
  }
})();

describe.skipIf(!installed)('decode_jpeg', () => {
  const file = Buffer.from(
    fixture<{ files: Record<string, { file: string }> }>('jpeg').files['4:2:0']?.file ?? '',
    'base64',
  );
  const decode = async (args: { box?: unknown[]; denominator?: unknown; resized?: unknown[]; offset?: unknown[] }) => {
    // Looks libjpeg-turbo up.
    await decodeTurbo(file, pixelsFor(1), [1, 1], () => ({
      box: { left: 0, top: 0, width: 1, height: 1 },
      denominator: 1,
      resized: { width: 1, height: 1, left: 0, top: 0 },
    }));
    const pixels = torch.zeros([4, 4, 3], { dtype: 'uint8' });
    const { box = [0, 0, 4, 4], denominator = 1, resized = [4, 4], offset = [0, 0] } = args;
    return call('decode_jpeg', torch.tensor(new Uint8Array(file)), pixels, box, denominator, resized, offset);
  };

  it.each([0, -1, 3, 16, 2 ** 32 + 1, 2n ** 62n])('refuses to scale by 1 / %s', async (denominator) => {
    await expect(decode({ denominator })).rejects.toThrow('denominator must be 1, 2, 4 or 8');
  });

  it('refuses what is not bytes', async () => {
    await decode({});
    expect(() => call('jpeg_size', torch.ones([4]))).toThrow('bytes must be uint8');
  });

  it('refuses parts whose end is not a number', async () => {
    for (const box of [
      [1, 0, largest, 4],
      [0, 1, 4, largest],
      [largest, 0, 4, 4],
      [0, largest, 4, 4],
    ])
      await expect(decode({ box })).rejects.toThrow('not inside of the image');
  });

  it('refuses pixels whose end is not a number', async () => {
    for (const offset of [
      [largest, 0],
      [0, largest],
    ])
      await expect(decode({ offset })).rejects.toThrow('no such pixels');
  });
});

describe('batch normalization', () => {
  const threads = torch.getNumThreads();
  afterEach(() => torch.setNumThreads(threads));

  // More threads than pixels: a share without any has no mean.
  it('of many channels and few pixels has the statistics of all of them, on any number of threads', () => {
    // Whole numbers and their opposites, whose sums are exact in any order.
    const half = torch.randint(1, 9, [1, 16384, 1, 1]).to('float32');
    const x = torch.cat([half, half.neg()]).contiguous({ memoryFormat: 'channelsLast' });
    const row = (value: number) => torch.full([16384], value, { dtype: 'float32' });
    const results = [1, 4].map((count) => {
      torch.setNumThreads(count);
      const [mean, variance] = [row(0), row(1)];
      const y = torch.dispatch('srrl::batch_norm_relu', x, row(1), row(0), mean, variance, null, 0.1, 1e-5) as Tensor;
      return [y, mean, variance];
    }) as [Tensor[], Tensor[]];
    expect(results[1][0]?.isfinite().all().item()).toBe(true);
    for (const [i, one] of results[0].entries())
      expect(
        one
          .sub(results[1][i] as Tensor)
          .abs()
          .max()
          .item(),
      ).toBeLessThan(1e-5);
  });
});
