import { functions, type Tensor } from '../../tensor/index.js';
import { type Box, type ResizedCropRange, randomResizedCrop } from '../crop.js';
import { SampleRandom, streams } from '../philox.js';
import type { Draw } from './rows.js';

/** torchvision's RandomResizedCrop for images in memory; encoded images are cropped while they are decoded. */
export function resizedCrop(images: Tensor, { seed, epoch, images: numbers }: Draw, range: ResizedCropRange): Tensor {
  const [, , height = 0, width = 0] = images.shape;
  const boxes = numbers.map((number) =>
    randomResizedCrop(new SampleRandom(seed, streams.resizedCrop, number, epoch), width, height, range),
  );
  return functions.cat(boxes.map((box, row) => cropAndResize(images.narrow(0, row, 1), box)));
}

/** Crops a box and resizes it to the size of the image, bilinear with antialias. */
export function cropAndResize(image: Tensor, { left, top, width, height }: Box): Tensor {
  const size = image.shape.slice(2);
  return functions._upsampleBilinear2dAa(image.narrow(2, top, height).narrow(3, left, width), size, false);
}
