import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decode } from '../../src/data/decode.js';
import { DataError } from '../../src/index.js';
import torch from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

const photos = join(process.env.SRRL_TEST_DATA ?? '../shared/data', 'photos', 'val');
const theirs = fixture<{ photos: Record<string, { mean: number[]; std: number[]; tiles: number[] }> }>(
  'augment',
).photos;
const size = 64;

/** A picture whose red grows to the right and whose green grows downwards. */
const gradient = (width: number, height: number, channels: 1 | 3 | 4 = 3) => {
  const pixels = Buffer.alloc(width * height * channels, 200);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      pixels[(y * width + x) * channels] = (255 * x) / width;
      if (channels > 1) pixels[(y * width + x) * channels + 1] = (255 * y) / height;
    }
  return sharp(pixels, { raw: { width, height, channels } });
};

describe('decoding', () => {
  it.each(['png', 'webp', 'jpeg'] as const)('%s gives RGB of the size that is asked for', async (format) => {
    const pixels = await decode(await gradient(50, 30).toFormat(format).toBuffer(), 'x', 16);
    expect(pixels).toHaveLength(16 * 16 * 3);
    expect(pixels[2]).toBeGreaterThan(190);
  });

  it('gives three equal channels of gray, and drops alpha', async () => {
    const gray = await gradient(20, 20, 1).toColourspace('b-w').png().toBuffer();
    const pixels = await decode(gray, 'x', 8);
    expect(pixels).toHaveLength(8 * 8 * 3);
    expect([pixels[0], pixels[1]]).toEqual([pixels[2], pixels[2]]);
    const alpha = await gradient(20, 20, 4).png().toBuffer();
    expect(await decode(alpha, 'x', 8)).toHaveLength(8 * 8 * 3);
  });

  it.each([
    [1, { left: 10, top: 20, width: 40, height: 24 }],
    [2, { left: 60, top: 10, width: 300, height: 240 }],
  ] as const)('takes the part that is chosen, at scale %d', async (_, box) => {
    const pixels = await decode(await gradient(400, 260).png().toBuffer(), 'x', 32, () => box);
    const at = (x: number, y: number, channel: number) => pixels[(y * 32 + x) * 3 + channel] as number;
    // Within one target pixel and the rounding of bytes.
    const near = (actual: number, expected: number, pixel: number) =>
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(pixel + 1);
    for (const place of [4, 16, 27]) {
      near(at(place, 8, 0), (255 * (box.left + (box.width * (place + 0.5)) / 32)) / 400, (255 * box.width) / 32 / 400);
      near(at(8, place, 1), (255 * (box.top + (box.height * (place + 0.5)) / 32)) / 260, (255 * box.height) / 32 / 260);
    }
  });

  it('names the image that is not an image or is cut off', async () => {
    const whole = await gradient(60, 60).jpeg().toBuffer();
    await expect(decode(whole.subarray(0, whole.length / 2), 'roses/1.jpg', 16)).rejects.toThrow(
      /roses\/1\.jpg cannot be decoded/,
    );
    await expect(decode(Buffer.from('hello'), 'roses/2.jpg', 16)).rejects.toThrow(DataError);
    await expect(decode(Buffer.alloc(0), 'roses/3.jpg', 16)).rejects.toThrow(/roses\/3\.jpg/);
  });

  it.skipIf(!existsSync(photos))("is close to torchvision's evaluation view of photos", async () => {
    for (const [name, { mean, std, tiles }] of Object.entries(theirs)) {
      const pixels = await decode(readFileSync(join(photos, name)), name, size);
      const image = torch.fromArray(pixels, [size, size, 3]).permute(2, 0, 1).to('float32');
      const differ = (actual: number[], expected: number[]) =>
        Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] as number))));
      // Of 255. The most over the five photos: 0.001 for means, 0.002 for deviations, 0.032 for tiles of 8 x 8 pixels;
      // by libvips, where libjpeg-turbo is not installed, 0.252, 0.143 and 1.734.
      expect(differ(image.mean([1, 2]).tolist() as number[], mean)).toBeLessThan(0.3);
      expect(differ(image.std([1, 2], { correction: 0 }).tolist() as number[], std)).toBeLessThan(0.2);
      const ours = [...(torch.avgPool2d(image, [8, 8]).contiguous().toTypedArray() as Float32Array)];
      expect(differ(ours, tiles)).toBeLessThan(2);
    }
  });
});
