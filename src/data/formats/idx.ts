/** Reads the idx files of MNIST and its successors: grayscale images. */
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import type { ImageSet } from '../dataset.js';
import { largestAnnounced, readFirst } from '../files.js';

interface Header {
  /** Bytes of the header. */
  length: number;
  sizes: number[];
  /** Bytes after the header. */
  elements: number;
}

/** Parses the header of a file of unsigned bytes; undefined if there are too few bytes. Throws DataError. */
function headerOf(file: string, start: Buffer, dimensions: number): Header | undefined {
  const length = 4 + 4 * dimensions;
  if (start.length < length) return undefined;
  if (start.readUInt32BE(0) !== 0x0800 + dimensions)
    throw new DataError(
      `${file} is not an idx file of bytes with ${dimensions} dimension${dimensions > 1 ? 's' : ''}.`,
    );
  const sizes = Array.from({ length: dimensions }, (_, i) => start.readUInt32BE(4 + 4 * i));
  const elements = sizes.reduce((product, size) => product * size, 1);
  if (elements > largestAnnounced)
    throw new DataError(
      `${file} announces ${sizes.join(' x ')} bytes; up to ${largestAnnounced} are read. It is likely to be damaged.`,
    );
  return { length, sizes, elements };
}

/** Reads an idx file of unsigned bytes with the given number of dimensions. */
async function readIdx(
  folder: string,
  name: string,
  dimensions: number,
): Promise<{ file: string; sizes: number[]; data: Uint8Array }> {
  const { file, bytes } = await readFirst([join(folder, `${name}.gz`), join(folder, name)], (packed, start) => {
    const header = headerOf(packed, start, dimensions);
    return header && header.length + header.elements;
  });
  const header = headerOf(file, bytes, dimensions);
  if (!header) throw new DataError(`${file} is truncated: it has ${bytes.length} bytes, and no header.`);
  const { length, sizes, elements } = header;
  if (bytes.length !== length + elements) {
    throw new DataError(
      `${file} is truncated or too long: its header announces ${elements} bytes, ${bytes.length - length} follow.`,
    );
  }
  return { file, sizes, data: bytes.subarray(length) };
}

/**
 * Reads `prefix`-images-idx3-ubyte and -labels-idx1-ubyte from a folder, gzipped or not: 28x28 pixels, class numbers
 * below `classes`.
 */
export async function readIdxSplit(folder: string, prefix: string, classes: number): Promise<ImageSet> {
  const images = await readIdx(folder, `${prefix}-images-idx3-ubyte`, 3);
  const labels = await readIdx(folder, `${prefix}-labels-idx1-ubyte`, 1);
  if (images.sizes[1] !== 28 || images.sizes[2] !== 28)
    throw new DataError(`${images.file}: the images are ${images.sizes[1]}x${images.sizes[2]}, not 28x28.`);
  if (images.sizes[0] !== labels.sizes[0])
    throw new DataError(`${images.file} has ${images.sizes[0]} images, but ${labels.file} ${labels.sizes[0]} labels.`);
  if (labels.data.some((label) => label >= classes))
    throw new DataError(`${labels.file}: a label is above ${classes - 1}.`);
  return { images: images.data, labels: labels.data };
}
