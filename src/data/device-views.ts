/**
 * Views of images that lie on a device of their own, by operators that every device has. They are bitwise identical to
 * those of the CPU's own operators.
 */
import { callOverload, fromArray, overloadOf, type Tensor, functions as torch } from '../tensor/index.js';

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
export function viewsOn(images: Tensor, rows: Tensor, draws: Tensor, table: Tensor): Tensor {
  const { device } = images;
  const [, channels = 0, height = 0, width = 0] = images.shape;
  const count = rows.shape[0] as number;
  const steps = (size: number) => torch.arange(size, { dtype: 'int64', device });
  const column = (which: number) => draws.narrow(1, which, 1);
  const across = steps(width);
  const turned = torch.where(column(2).ne(0), across.neg().add(width - 1), across);
  const [y, x] = [steps(height).add(column(0)), turned.add(column(1))];
  const within = (at: Tensor, size: number) => at.ge(0).logicalAnd(at.lt(size));
  const inside = within(y, height).unsqueeze(2).logicalAnd(within(x, width).unsqueeze(1)).unsqueeze(3);
  const at = [
    rows.view(count, 1, 1, 1),
    steps(channels).view(1, 1, 1, channels),
    y.clamp(0, height - 1).view(count, height, 1, 1),
    x.clamp(0, width - 1).view(count, 1, width, 1),
  ];
  const pixels = images.index(at).mul(inside).to('int64');
  return table.take(pixels.add(steps(channels).mul(256))).permute(0, 3, 1, 2);
}

/** Numbers of images or samples, int64. */
export const rowsOf = (numbers: readonly number[]): Tensor => fromArray(Float64Array.from(numbers)).to('int64');

/**
 * A copy on the device (the tensor itself where that is the CPU) of a tensor on the CPU: neither does the host wait for it, nor it for the device's work. What
 * the device is asked for afterwards comes after it.
 */
export const upload = (tensor: Tensor, device: string): Tensor =>
  device === 'cpu' ? tensor : (callOverload(overloadOf('srrl::upload'), [tensor, device]) as Tensor);
