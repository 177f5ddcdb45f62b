import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import type { DatasetKind, ImageSet } from '../dataset.js';
import { readXz } from '../files.js';

const pixels = 3 * 32 * 32;
/** Coarse label, fine label, 1024 red, 1024 green, 1024 blue. */
const recordBytes = 2 + pixels;
const numClasses = 100;

/** NAME.bin, or NAME.bin.xz in one piece or in parts NAME.bin.xz.part00, part01, ... */
async function readBinary(folder: string, name: string): Promise<Buffer> {
  const plain = join(folder, `${name}.bin`);
  if (existsSync(plain)) return readFile(plain);
  const packed = readdirSync(folder)
    .filter((file) => file === `${name}.bin.xz` || file.startsWith(`${name}.bin.xz.part`))
    .sort();
  if (packed.length === 0) throw new DataError(`${plain} is missing (nor is there ${name}.bin.xz).`);
  return readXz(packed.map((file) => join(folder, file)));
}

async function readSplit(folder: string, name: string): Promise<ImageSet> {
  const bytes = await readBinary(folder, name);
  if (bytes.length === 0 || bytes.length % recordBytes !== 0) {
    throw new DataError(
      `${join(folder, name)}.bin has ${bytes.length} bytes, not a multiple of ${recordBytes}: it is truncated, or no CIFAR-100 binary.`,
    );
  }
  const count = bytes.length / recordBytes;
  const images = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * recordBytes;
    labels[i] = bytes[start + 1] as number;
    images.set(bytes.subarray(start + 2, start + recordBytes), i * pixels);
  }
  if (labels.some((label) => label >= numClasses))
    throw new DataError(`${join(folder, name)}.bin has a fine label above ${numClasses - 1}.`);
  return { images, labels };
}

async function classNames(folder: string): Promise<string[]> {
  const file = join(folder, 'fine_label_names.txt');
  if (!existsSync(file)) return Array.from({ length: numClasses }, (_, i) => `class ${i}`);
  const names = (await readFile(file, 'utf8')).trim().split(/\r?\n/);
  if (names.length !== numClasses) throw new DataError(`${file} has ${names.length} lines, not ${numClasses}.`);
  return names;
}

export const cifar100: DatasetKind = {
  kind: 'cifar100',
  usage: 'cifar100:DIR',
  summary: 'CIFAR-100, 32x32 colour, 100 classes: train.bin and test.bin, or the same packed by xz',
  async open(path) {
    if (!existsSync(path)) throw new DataError(`The folder ${path} of cifar100:${path} does not exist.`);
    return {
      source: `cifar100:${path}`,
      classes: await classNames(path),
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.5071, 0.4867, 0.4408],
      std: [0.2675, 0.2565, 0.2761],
      augment: { pad: 4, flip: true },
      train: await readSplit(path, 'train'),
      test: await readSplit(path, 'test'),
    };
  },
};
