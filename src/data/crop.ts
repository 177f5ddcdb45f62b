/** Chooses the crop of an image by torchvision's rules, with random numbers from the sample's own stream. */
import type { SampleRandom } from './philox.js';

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface ResizedCropRange {
  /** Share of the image's area. */
  scale: readonly [number, number];
  /** Aspect ratio, width / height. */
  ratio: readonly [number, number];
}

/** Rounds as Python's round() does: halves go to the even number. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

const attempts = 10;

/**
 * torchvision's RandomResizedCrop.get_params: a part of random area and aspect ratio; the center after ten failed
 * tries.
 */
export function randomResizedCrop(
  random: SampleRandom,
  width: number,
  height: number,
  { scale, ratio }: ResizedCropRange,
): Box {
  const [lowest, highest] = ratio;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const area = width * height * random.uniform(...scale);
    const shape = Math.exp(random.uniform(Math.log(lowest), Math.log(highest)));
    const [w, h] = [roundHalfEven(Math.sqrt(area * shape)), roundHalfEven(Math.sqrt(area / shape))];
    const [x, y] = [random.uniform(), random.uniform()];
    if (w > 0 && w <= width && h > 0 && h <= height)
      return { left: Math.floor(x * (width - w + 1)), top: Math.floor(y * (height - h + 1)), width: w, height: h };
  }
  const shape = width / height;
  const w = shape > highest ? roundHalfEven(height * highest) : width;
  const h = shape < lowest ? roundHalfEven(width / lowest) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** How an image is resized and cropped for evaluation; sizes are [height, width]. */
export interface CenterView {
  /** The size that the resized image covers, with its aspect ratio kept. */
  resize: readonly [number, number];
  /** The size of the center crop. */
  crop: readonly [number, number];
}

/** Returns the usual view of photos: resizes the shorter side to size * 256 / 224 and takes the center, size x size. */
export function usualView(size: number): CenterView {
  const short = Math.floor((size * 256) / 224);
  return { resize: [short, short], crop: [size, size] };
}

/** Returns the size that an image of `width` x `height` is resized to, and the crop in it. */
export function centerView(
  width: number,
  height: number,
  { resize: [rows, columns], crop: [cropRows, cropColumns] }: CenterView,
): { width: number; height: number; box: Box } {
  const byWidth = columns / width >= rows / height;
  const w = byWidth ? columns : Math.floor((rows * width) / height);
  const h = byWidth ? Math.floor((columns * height) / width) : rows;
  const [left, top] = [roundHalfEven((w - cropColumns) / 2), roundHalfEven((h - cropRows) / 2)];
  return { width: w, height: h, box: { left, top, width: cropColumns, height: cropRows } };
}
