import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import type { DatasetKind, ImageSet } from '../dataset.js';
import { readFirst } from '../files.js';

const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/** Reads an idx file of unsigned bytes with the given number of dimensions. */
async function readIdx(
  folder: string,
  name: string,
  dimensions: number,
): Promise<{ sizes: number[]; data: Uint8Array }> {
  const { file, bytes } = await readFirst([join(folder, `${name}.gz`), join(folder, name)]);
  const header = 4 + 4 * dimensions;
  if (bytes.length < header || bytes.readUInt32BE(0) !== 0x0800 + dimensions) {
    throw new DataError(`${file} is no idx file of bytes with ${dimensions} dimension${dimensions > 1 ? 's' : ''}.`);
  }
  const sizes = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const expected = sizes.reduce((product, size) => product * size, 1);
  if (bytes.length !== header + expected) {
    throw new DataError(
      `${file} is truncated or too long: its header announces ${expected} bytes, ${bytes.length - header} follow.`,
    );
  }
  return { sizes, data: bytes.subarray(header) };
}

async function readSplit(folder: string, prefix: string): Promise<ImageSet> {
  const images = await readIdx(folder, `${prefix}-images-idx3-ubyte`, 3);
  const labels = await readIdx(folder, `${prefix}-labels-idx1-ubyte`, 1);
  if (images.sizes[1] !== 28 || images.sizes[2] !== 28)
    throw new DataError(`${folder}: the images are ${images.sizes[1]}x${images.sizes[2]}, not 28x28.`);
  if (images.sizes[0] !== labels.sizes[0])
    throw new DataError(`${folder}: ${images.sizes[0]} ${prefix} images, but ${labels.sizes[0]} labels.`);
  if (labels.data.some((label) => label >= classes.length))
    throw new DataError(`${folder}: a ${prefix} label is above ${classes.length - 1}.`);
  return { images: images.data, labels: labels.data };
}

export const fashionMnist: DatasetKind = {
  kind: 'fashion-mnist',
  usage: 'fashion-mnist:DIR',
  summary: 'Fashion-MNIST, 28x28 grey, 10 classes: the four idx files, gzipped or not',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of fashion-mnist:${path} does not exist.`);
    return {
      source: `fashion-mnist:${path}`,
      classes,
      channels: 1,
      height: 28,
      width: 28,
      mean: [0.286],
      std: [0.353],
      augment: { pad: 2, flip: true },
      train: await readSplit(path, 'train'),
      test: await readSplit(path, 't10k'),
    };
  },
};
