/** Distinguishes two sets of images. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Dataset, SplitName } from './dataset.js';
import { isEncoded } from './images.js';

/**
 * Returns a text that differs if the training images differ: a hash of the images in memory; of size, first and last
 * MiB of a mapped file; of the names of encoded files.
 */
export function fingerprintOf(data: Dataset): string {
  const { train, classes, channels, height, width } = data;
  const hash = createHash('sha256').update(JSON.stringify([classes.length, channels, height, width]));
  if ('images' in train) hash.update(train.images);
  else if (isEncoded(train))
    for (let image = 0; image < imageCount(data); image++) hash.update(`${train.nameOf(image)}\n`);
  else {
    const { size } = statSync(train.file);
    hash.update(`${size} ${train.offset} ${train.count}`);
    for (const begin of [0, Math.max(0, size - (1 << 20))]) hash.update(bytesAt(train.file, begin, 1 << 20));
  }
  return hash.digest('hex');
}

/** Like {@link fingerprintOf} for one split, including its labels. */
export function splitFingerprint(data: Dataset, name: SplitName): string {
  const split = data[name];
  if (!split) return 'none';
  const labels = createHash('sha256').update(Int32Array.from(split.labels)).digest('hex');
  return `${fingerprintOf({ ...data, train: split })} ${labels}`;
}

/** Returns a lower bound of the number of training images, for choosing samples. */
export function imageCount({ train, channels, height, width }: Dataset): number {
  if ('images' in train) return Math.floor(train.images.length / (channels * height * width));
  if ('count' in train) return train.count;
  if (!train.rows) return train.labels.length;
  return train.rows.reduce((largest, row) => Math.max(largest, row), -1) + 1;
}

function bytesAt(file: string, begin: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const descriptor = openSync(file, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, begin));
  } finally {
    closeSync(descriptor);
  }
}
