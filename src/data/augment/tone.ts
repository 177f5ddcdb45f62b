/** torchvision's operators on tones and edges for float images in 0..1, [N, C, H, W]; parameters are [N, 1, 1, 1]. */
import { functions, type Tensor } from '../../tensor/index.js';
import { blend } from './color.js';

/** Keeps 2^bits tones; `levels` is 2^bits. */
export function posterize(images: Tensor, levels: Tensor): Tensor {
  return images.mul(levels).floor().minimum(levels.sub(1)).clampMin(0).div(levels);
}

/** Inverts tones of at least `threshold`. */
export function solarize(images: Tensor, threshold: Tensor): Tensor {
  return functions.where(images.ge(threshold), images.neg().add(1), images);
}

/** Stretches each channel to the full range 0..1. */
export function autocontrast(images: Tensor): Tensor {
  const [least, most] = [images.amin([2, 3], true), images.amax([2, 3], true)];
  const range = most.sub(least);
  const flat = range.eq(0);
  return images.sub(least.maskedFill(flat, 0)).mul(range.maskedFill(flat, 1).reciprocal()).clamp(0, 1);
}

/** Equalizes the histogram of each channel's 256 tones. */
export function equalize(images: Tensor): Tensor {
  const [count = 0, channels = 0, height = 0, width = 0] = images.shape;
  // torchvision's conversion to bytes.
  const tones = images
    .mul(255.999)
    .to('uint8')
    .to('int64')
    .reshape([count * channels, height * width]);
  const histogram = functions.zeros([count * channels, 256], { dtype: 'int64', device: images.device });
  histogram.scatterAdd_(1, tones, functions.onesLike(tones));
  const cumulative = histogram.cumsum(1);
  // The step: all pixels except those of the brightest tone, divided by 255.
  const brightest = histogram.gather(1, tones.amax([1], true));
  const step = brightest
    .neg()
    .add(height * width)
    .floorDivide(255);
  const divisor = step.clampMin(1);
  const shifted = cumulative.add(step.floorDivide(2)).floorDivide(divisor).narrow(1, 0, 255);
  const table = functions.cat([functions.zerosLike(shifted.narrow(1, 0, 1)), shifted], 1).clamp(0, 255);
  const result = functions.where(step.eq(0), tones, table.gather(1, tones));
  return result.to('float32').div(255).reshape([count, channels, height, width]);
}

/** Blends with the image smoothed by a 3x3 kernel: sharpens if factor > 1, blurs if factor < 1. Border pixels stay. */
export function adjustSharpness(images: Tensor, factor: Tensor): Tensor {
  const [, channels = 0, height = 0, width = 0] = images.shape;
  if (height <= 2 || width <= 2) return images;
  const kernel = functions.ones([channels, 1, 3, 3], { device: images.device }).div(13);
  kernel
    .narrow(2, 1, 1)
    .narrow(3, 1, 1)
    .fill_(5 / 13);
  const smooth = images.clone();
  const inner = functions.conv2d(images, kernel, null, { groups: channels });
  smooth
    .narrow(2, 1, height - 2)
    .narrow(3, 1, width - 2)
    .copy_(inner);
  return blend(images, smooth, factor);
}
