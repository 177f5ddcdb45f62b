import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/data/crop.js';
import { decode, pixelsFor } from '../../src/data/decode.js';
import { decodeTurbo } from '../../src/data/turbo-jpeg.js';
import { DataError } from '../../src/index.js';
import torch from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

interface PillowJpeg {
  width: number;
  height: number;
  files: Record<string, { file: string; pixels: string }>;
  views: { box: [number, number, number, number]; size: number; pixels: string }[];
  centre: { size: number; pixels: string };
}

const { width, height, files, views, centre } = fixture<PillowJpeg>('jpeg');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
const fileOf = (kind: string) => bytes(files[kind]?.file as string);
const kinds = Object.keys(files);

/** The pixels of a part of an image that Pillow decoded. */
function partOf(pixels: Uint8Array, { left, top, width: w, height: h }: Box): Uint8Array {
  const rows = Array.from({ length: h }, (_, y) => pixels.subarray(((top + y) * width + left) * 3).subarray(0, w * 3));
  return new Uint8Array(Buffer.concat(rows));
}

const most = (a: Uint8Array, b: Uint8Array) => Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));

/** libjpeg-turbo comes with a package that may be left out. */
const installed = (() => {
  try {
    return createRequire(import.meta.url).resolve('@julusian/jpeg-turbo');
  } catch {
    return undefined;
  }
})();

const whole = (size: number) => (w: number, h: number) => ({
  box: { left: 0, top: 0, width: w, height: h },
  denominator: 1 as const,
  resized: { width: size, height: size, left: 0, top: 0 },
});

describe('a JPEG file', () => {
  it.each(kinds)("of kind %s has Pillow's bytes, wherever the part lies", async (kind) => {
    const theirs = bytes(files[kind]?.pixels as string);
    for (const size of [1, 9, 20, height])
      for (const [x, y] of [
        [0, 0],
        [0.37, 0.61],
        [0.8, 0.2],
        [1, 1],
      ] as const) {
        const box = {
          left: Math.floor(x * (width - size)),
          top: Math.floor(y * (height - size)),
          width: size,
          height: size,
        };
        expect(await decode(fileOf(kind), kind, size, () => box)).toEqual(partOf(theirs, box));
      }
  });

  it.skipIf(!installed)('is resized as Pillow does it, but for the rounding', async () => {
    for (const { box, size, pixels } of views) {
      const [left, top, w, h] = box;
      const ours = await decode(fileOf('4:2:0'), 'x', size, () => ({ left, top, width: w, height: h }));
      // Where libjpeg scales first, the part may lie a quarter of a pixel beside its place.
      expect(most(ours, bytes(pixels))).toBeLessThanOrEqual(Math.min(w, h) < 4 * size ? 1 : 20);
    }
  });

  it.skipIf(!installed)('is seen in evaluation as torchvision sees it, but for the rounding', async () => {
    const ours = await decode(fileOf('4:2:0'), 'x', centre.size);
    expect(most(ours, bytes(centre.pixels))).toBeLessThanOrEqual(1);
  });

  it.each(['4:2:0', 'CMYK'])(
    'of kind %s, followed by what does not belong there, is decoded by libvips',
    async (kind) => {
      const sound = fileOf(kind);
      const strange = Buffer.from([1, 2, 3, 4, 5, 6]);
      const odd = new Uint8Array(Buffer.concat([sound.subarray(0, -2), strange, sound.subarray(-2)]));
      expect(await decodeTurbo(odd, pixelsFor(16), [16, 16], whole(16))).toBe(false);
      const box = { left: 5, top: 4, width: 16, height: 16 };
      const theirs = bytes(files[kind]?.pixels as string);
      expect(await decode(odd, 'x', 16, () => box)).toEqual(partOf(theirs, box));
    },
  );

  it('in CMYK has the same bytes by either library, also resized', async () => {
    const sound = fileOf('CMYK');
    const odd = new Uint8Array(
      Buffer.concat([sound.subarray(0, -2), Buffer.from([1, 2, 3, 4, 5, 6]), sound.subarray(-2)]),
    );
    expect(await decode(odd, 'x', 16)).toEqual(await decode(sound, 'x', 16));
  });

  it('that is cut off is refused by its name, wherever it ends', async () => {
    for (const kind of kinds) {
      const sound = fileOf(kind);
      for (const share of [0.1, 0.5, 0.9]) {
        const cut = sound.slice(0, Math.floor(share * sound.length));
        expect(await decodeTurbo(cut, pixelsFor(16), [16, 16], whole(16))).toBe(false);
        await expect(decode(cut, `roses/${kind}.jpg`, 16)).rejects.toThrow(DataError);
        await expect(decode(cut, `roses/${kind}.jpg`, 16)).rejects.toThrow(`roses/${kind}.jpg cannot be decoded`);
      }
    }
  });

  it.skipIf(!installed)('is taken by libjpeg-turbo, and leaves no tensors', async () => {
    const before = torch.memory().tensors;
    for (const kind of kinds) expect(await decodeTurbo(fileOf(kind), pixelsFor(16), [16, 16], whole(16))).toBe(true);
    expect(torch.memory().tensors).toBe(before);
  });
});
