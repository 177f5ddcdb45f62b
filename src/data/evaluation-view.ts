/** Preprocesses images that belong to no data set as the evaluation does. */
import { callOverload, fromArray, functions, overloadOf, type Tensor } from '../tensor/index.js';
import { type CenterView, usualView } from './crop.js';
import type { Dataset } from './dataset.js';
import { mirrored, type PixelValues, pixelTable, rowsOf, upload, viewsOn } from './device-views.js';
import { isEncoded } from './images.js';

/**
 * Returns how photos become images like those that a data set is evaluated on. If its images have one fixed size, a
 * photo is resized until it covers that size.
 */
export function evaluationViewOf(data: Dataset): CenterView {
  const size = [data.height, data.width] as const;
  return data.view ?? (isEncoded(data.test) ? usualView(data.height) : { resize: size, crop: size });
}

/** Rec. 601 luma in 16-bit integers, as Pillow converts RGB to L; gray pixels keep their value. */
const luma = { weights: [19595, 38470, 7471], half: 1 << 15, bits: 16 } as const;

/**
 * Returns normalized images, float32 [N, C, H, W] on `device`, from decoded ones, uint8 [N, H, W, 3] on the CPU:
 * bitwise identical to those of a loader. C is the length of `mean` and `std`: 3, or 1 for gray images.
 */
export function normalizedImages(pixels: Tensor, values: PixelValues, device: string): Tensor {
  const { mean, std } = values;
  const [count = 0] = pixels.shape;
  const gray = mean.length === 1;
  if (device !== 'cpu') {
    const images = upload(gray ? grayOf(pixels) : pixels.permute(0, 3, 1, 2), device);
    const rows = functions.arange(count, { dtype: 'int64', device });
    const draws = mirrored(new Array<boolean>(count).fill(false)).to({ device });
    return viewsOn(images, rows, draws, pixelTable(values, device));
  }
  if (gray) {
    const rows = rowsOf(Array.from({ length: count }, (_, i) => i));
    return callOverload(overloadOf('srrl::normalized_views'), [
      grayOf(pixels),
      rows,
      mean,
      std,
      0,
      false,
      0,
      0,
    ]) as Tensor;
  }
  const flips = fromArray(new Uint8Array(count)).to('bool');
  return callOverload(overloadOf('srrl::normalized_pixels'), [pixels, flips, mean, std]) as Tensor;
}

/** uint8 [N, 1, H, W] */
function grayOf(pixels: Tensor): Tensor {
  const weights = fromArray(Int32Array.from(luma.weights));
  const sums = pixels.to('int32').mul(weights).sum(3).add(luma.half);
  return sums.bitwiseRightShift(luma.bits).to('uint8').unsqueeze(1);
}
