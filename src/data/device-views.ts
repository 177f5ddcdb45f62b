/**
 * Makes views of images on a device, with operators that every device has, or with a kernel. The views are bitwise
 * identical to those of the CPU's own operators.
 */
import { callOverload, fromArray, overloadOf, type Tensor } from '../tensor/index.js';

/** The type of a batch's images; bfloat16 if the networks round them to it first. */
export type ImageDType = 'float32' | 'bfloat16';

/** How pixels are normalized. */
export interface PixelValues {
  mean: readonly number[];
  std: readonly number[];
}

/** Returns the normalized value of each pixel value, [C * 256], channel by channel. */
export function pixelTable({ mean, std }: PixelValues, device: string, dtype: ImageDType = 'float32'): Tensor {
  const table = callOverload(overloadOf('srrl::pixel_values'), [mean, std]) as Tensor;
  return table.reshape([-1]).to({ device, dtype });
}

/** Draws where each view begins, and 1 if it is mirrored: int64 [B, 3]. Independent of the rest of the batch. */
export const drawViews = (
  images: readonly number[],
  { pad, flip, seed, epoch }: { pad: number; flip: boolean; seed: number; epoch: number },
): Tensor => callOverload(overloadOf('srrl::view_draws'), [images, pad, flip, seed, epoch]) as Tensor;

/** Converts flips to the format of {@link drawViews}, without shifts. */
export const mirrored = (flips: readonly boolean[]): Tensor =>
  rowsOf(flips.flatMap((flip) => [0, 0, flip ? 1 : 0])).view([flips.length, 3]);

/**
 * Returns [B, C, H, W] of the table's dtype, channels_last: the images `rows` [B] of uint8 [N, C, H, W], each shifted
 * and mirrored by its row of `draws` [B, 3] and padded with zero pixels. All tensors are on one device.
 */
export const viewsOn = (images: Tensor, rows: Tensor, draws: Tensor, table: Tensor): Tensor =>
  callOverload(overloadOf('srrl::views_on'), [images, rows, draws, table]) as Tensor;

/** Converts numbers of images or samples to int64. */
export const rowsOf = (numbers: readonly number[]): Tensor => fromArray(Float64Array.from(numbers)).to('int64');

/**
 * Copies a CPU tensor to the device (returns it unchanged if the device is the CPU). Neither the host nor the device
 * waits for the copy; later work on the device runs after it.
 */
export const upload = (tensor: Tensor, device: string): Tensor =>
  device === 'cpu' ? tensor : (callOverload(overloadOf('srrl::upload'), [tensor, device]) as Tensor);
