/**
 * Views of images that lie on a device of their own, by operators that every device has, or by a kernel. They are
 * bitwise identical to those of the CPU's own operators.
 */
import { callOverload, fromArray, overloadOf, type Tensor } from '../tensor/index.js';

/** How pixels become numbers. */
export interface PixelValues {
  mean: readonly number[];
  std: readonly number[];
}

/** float32 [C * 256], channel by channel: what each value of a pixel becomes. */
export function pixelTable({ mean, std }: PixelValues, device: string): Tensor {
  const table = callOverload(overloadOf('srrl::pixel_values'), [mean, std]) as Tensor;
  return table.reshape([-1]).to({ device });
}

/** Where each view begins, and 1 where it is mirrored: int64 [B, 3]. The same for an image whatever the batch. */
export const drawViews = (
  images: readonly number[],
  { pad, flip, seed, epoch }: { pad: number; flip: boolean; seed: number; epoch: number },
): Tensor => callOverload(overloadOf('srrl::view_draws'), [images, pad, flip, seed, epoch]) as Tensor;

/** Where images are mirrored, in the form of {@link drawViews}. */
export const mirrored = (flips: readonly boolean[]): Tensor =>
  rowsOf(flips.flatMap((flip) => [0, 0, flip ? 1 : 0])).view([flips.length, 3]);

/**
 * float32 [B, C, H, W], channels_last: the images `rows` [B] of uint8 [N, C, H, W], each from where its draw [B, 3]
 * begins; zeros, as pixels, around them. All on one device.
 */
export const viewsOn = (images: Tensor, rows: Tensor, draws: Tensor, table: Tensor): Tensor =>
  callOverload(overloadOf('srrl::views_on'), [images, rows, draws, table]) as Tensor;

/** Numbers of images or samples, int64. */
export const rowsOf = (numbers: readonly number[]): Tensor => fromArray(Float64Array.from(numbers)).to('int64');

/**
 * A copy on the device (the tensor itself where that is the CPU) of a tensor on the CPU: neither does the host wait for
 * it, nor it for the device's work. What the device is asked for afterwards comes after it.
 */
export const upload = (tensor: Tensor, device: string): Tensor =>
  device === 'cpu' ? tensor : (callOverload(overloadOf('srrl::upload'), [tensor, device]) as Tensor);
