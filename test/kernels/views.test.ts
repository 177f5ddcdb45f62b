/** Views by a kernel against those of the CPU, bit by bit. */
import { describe, expect, it } from 'vitest';
import { drawViews, pixelTable, rowsOf, viewsOn } from '../../src/data/device-views.js';
import {
  callOverload,
  installKernels,
  manualSeed,
  overloadOf,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const shapes = [
  [5, 3, 8, 8],
  [4, 1, 7, 13],
  [2, 4, 33, 9],
] as const;

describe.skipIf(!isThere).each(shapes)('views of %i images of %i x %i x %i', (count, channels, height, width) => {
  it.each([0, 1, 4, 40])('crops out of %i pixels around them', (pad) => {
    expect(installKernels(device).installed).toBe(true);
    manualSeed(1);
    const images = torch.randint(0, 256, [count, channels, height, width], { dtype: 'uint8' });
    const chosen = [3, 0, 1, 0, 1].map((row) => row % count);
    const [mean, std] = [0, 1].map((what) => Array.from({ length: channels }, (_, c) => 0.2 + 0.1 * c + 0.3 * what));
    const place = { pad, flip: true, seed: 5, epoch: 2 };
    const viewsIn = (dtype: 'float32' | 'bfloat16') =>
      withKernels(() =>
        viewsOn(
          images.to({ device }),
          rowsOf(chosen).to({ device }),
          drawViews(chosen, place).to({ device }),
          pixelTable({ mean: mean as number[], std: std as number[] }, device, dtype),
        ),
      );
    const expected = callOverload(overloadOf('srrl::normalized_views'), [
      images,
      rowsOf(chosen),
      mean,
      std,
      pad,
      true,
      5,
      2,
    ]) as Tensor;
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const views = viewsIn(dtype);
      expect(views.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
      expect(views.to({ device: 'cpu' }).equal(expected.to(dtype)), dtype).toBe(true);
    }
    expect(refusedKernels(device)).toEqual([]);
  });
});
