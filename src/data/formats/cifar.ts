/** The binary form of CIFAR: records of one or two label bytes and 3072 pixels, 1024 red, 1024 green, 1024 blue. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import type { ImageSet } from '../dataset.js';
import { readXz } from '../files.js';

const pixels = 3 * 32 * 32;

export interface CifarForm {
  /** Label bytes before the pixels; the last one is used. */
  labelBytes: number;
  numClasses: number;
}

/** The records of files NAME.bin one after the other; each may be packed as NAME.bin.xz, in one piece or in parts NAME.bin.xz.part00, part01, ... */
export async function readCifar(
  folder: string,
  names: string[],
  { labelBytes, numClasses }: CifarForm,
): Promise<ImageSet> {
  const recordBytes = labelBytes + pixels;
  const files = await Promise.all(names.map((name) => readBinary(folder, name)));
  for (const [i, bytes] of files.entries()) {
    if (bytes.length > 0 && bytes.length % recordBytes === 0) continue;
    throw new DataError(
      `${join(folder, names[i] as string)}.bin has ${bytes.length} bytes, not a multiple of ${recordBytes}: it is truncated, or no CIFAR-${numClasses} binary.`,
    );
  }
  const records = Buffer.concat(files);
  const count = records.length / recordBytes;
  const images = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * recordBytes;
    labels[i] = records[start + labelBytes - 1] as number;
    images.set(records.subarray(start + labelBytes, start + recordBytes), i * pixels);
  }
  if (labels.some((label) => label >= numClasses))
    throw new DataError(`${join(folder, names[0] as string)}.bin has a label above ${numClasses - 1}.`);
  return { images, labels };
}

async function readBinary(folder: string, name: string): Promise<Buffer> {
  const plain = join(folder, `${name}.bin`);
  if (existsSync(plain)) return readFile(plain);
  const packed = readdirSync(folder)
    .filter((file) => file === `${name}.bin.xz` || file.startsWith(`${name}.bin.xz.part`))
    .sort();
  if (packed.length === 0) throw new DataError(`${plain} is missing (nor is there ${name}.bin.xz).`);
  return readXz(packed.map((file) => join(folder, file)));
}

/** One class name a line, from the first of the files that is there. */
export async function classNames(folder: string, files: string[], numClasses: number): Promise<string[]> {
  const file = files.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!file) return Array.from({ length: numClasses }, (_, i) => `class ${i}`);
  const names = (await readFile(file, 'utf8')).trim().split(/\r?\n/);
  if (names.length !== numClasses) throw new DataError(`${file} has ${names.length} lines, not ${numClasses}.`);
  return names;
}
