/** Writes a data set as tar shards, which WebDataset reads as well. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { replaceFileAsync, writeFileAtomic } from '../../atomic.js';
import { ConfigError, DataError, messageOf } from '../../errors.js';
import { partsOf } from '../../files/mapped.js';
import type { Dataset, Split } from '../dataset.js';

const block = 512;
/** Images encoded or read concurrently. */
const together = 32;

/** How a data set is split into shards. */
interface Sharding {
  /** Images per shard. */
  images: number;
  onProgress?(done: number): void;
}

/**
 * Writes `train-000000.tar`, ..., `test-000000.tar`, ... and classes.txt to the folder `out`, all or nothing. Encoded
 * images keep their bytes, others become PNG files. Throws ConfigError if the folder is not empty.
 */
export async function writeShards(data: Dataset, out: string, { images, onProgress }: Sharding): Promise<number> {
  if (existsSync(out) && readdirSync(out).length > 0)
    throw new ConfigError(`${out} holds something already. Choose another --out, or remove the folder.`);
  const draft = `${out}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  let [done, shards] = [0, 0];
  try {
    mkdirSync(draft, { recursive: true });
    for (const name of ['train', 'test'] as const) {
      const split = data[name];
      for (let first = 0; first < split.labels.length; first += images) {
        const last = Math.min(first + images, split.labels.length);
        const file = join(draft, `${name}-${String(first / images).padStart(6, '0')}.tar`);
        await writeShard(file, data, split, first, last, () => onProgress?.(++done));
        shards++;
      }
    }
    writeFileAtomic(join(draft, 'classes.txt'), data.classes.map((text) => `${text}\n`).join(''));
    if (existsSync(out)) rmdirSync(out);
    renameSync(draft, out);
    return shards;
  } catch (error) {
    if (existsSync(draft)) rmSync(draft, { recursive: true });
    if (error instanceof DataError) throw error;
    throw new DataError(`${out} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}

async function writeShard(
  file: string,
  data: Dataset,
  split: Split,
  first: number,
  last: number,
  onImage: () => void,
): Promise<void> {
  await replaceFileAsync(file, async (descriptor) => {
    const put = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    };
    const add = (name: string, content: Uint8Array) => {
      put(headerOf(name, content.length));
      put(content);
      put(Buffer.alloc((block - (content.length % block)) % block));
    };
    for (let next = first; next < last; next += together) {
      const samples = Array.from({ length: Math.min(together, last - next) }, (_, i) => next + i);
      const made = samples.map((sample) => encoded(data, split, split.rows?.[sample] ?? sample));
      for (const [i, { bytes, extension }] of (await Promise.all(made)).entries()) {
        const key = String(next + i).padStart(8, '0');
        add(`${key}${extension}`, bytes);
        add(`${key}.cls`, Buffer.from(String(split.labels[next + i])));
        onImage();
      }
    }
    put(Buffer.alloc(2 * block));
  });
}

async function encoded(data: Dataset, split: Split, image: number): Promise<{ bytes: Uint8Array; extension: string }> {
  if ('read' in split) {
    const bytes = await split.read(image);
    return { bytes, extension: extensionOf(bytes, split.nameOf(image)) };
  }
  const { channels, height, width } = data;
  const size = channels * height * width;
  const planes =
    'images' in split
      ? split.images.subarray(image * size, (image + 1) * size)
      : Buffer.concat([...partsOf(split.file, split.offset + image * size, split.offset + (image + 1) * size)]);
  const pixels = new Uint8Array(size);
  const positions = height * width;
  for (let channel = 0; channel < channels; channel++)
    for (let i = 0; i < positions; i++) pixels[i * channels + channel] = planes[channel * positions + i] as number;
  const raw = { width, height, channels: channels as 1 | 3 };
  return { bytes: await sharp(pixels, { raw }).png().toBuffer(), extension: '.png' };
}

/** Detects the extension from the first bytes, because names may lack one. */
function extensionOf(bytes: Uint8Array, name: string): string {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (start.startsWith('\xff\xd8')) return '.jpg';
  if (start.startsWith('\x89PNG')) return '.png';
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return '.webp';
  if (start.startsWith('II*') || start.startsWith('MM\0*')) return '.tif';
  throw new DataError(`${name} is no JPEG, PNG, WebP or TIFF file. Replace the file, or remove it.`);
}

/** Builds a ustar header; its time is 0, so that equal images produce identical shards. */
function headerOf(name: string, size: number): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  const fields: [number, string][] = [
    [0, name],
    [100, octal(0o644, 7)],
    [108, octal(0, 7)],
    [116, octal(0, 7)],
    [124, octal(size, 11)],
    [136, octal(0, 11)],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\x0000'],
  ];
  for (const [at, text] of fields) header.write(text, at, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)} `, 148, 'latin1');
  return header;
}
