/** Images that belong to no data set are seen as those of data sets are. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { centerView, usualView } from '../../src/data/crop.js';
import type { Dataset } from '../../src/data/dataset.js';
import { decodeView } from '../../src/data/decode.js';
import { evaluationViewOf, normalizedImages } from '../../src/data/evaluation-view.js';
import { openPacked, writePacked } from '../../src/data/formats/packed.js';
import { Loader, openDataset } from '../../src/index.js';
import { fromArray, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';
import { makePhotos } from '../predict/photos.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-view-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The files as predictions see them. */
async function seen(files: (string | Buffer)[], data: Dataset): Promise<Tensor> {
  const view = evaluationViewOf(data);
  const pixels = await Promise.all(
    files.map(async (file) => decodeView(await sharp(file).png().toBuffer(), 'x', view)),
  );
  const bytes = fromArray(Uint8Array.from(Buffer.concat(pixels)), [files.length, ...view.crop, 3]);
  return normalizedImages(bytes, data, 'cpu');
}

/** Images of one size, in memory. */
const held = (images: Uint8Array, channels: number, height: number, width: number): Dataset => {
  const set = { images, labels: new Uint8Array(images.length / (channels * height * width)) };
  const statistics = { mean: [0.3, 0.5, 0.7].slice(0, channels), std: [0.2, 0.3, 0.4].slice(0, channels) };
  const size = { channels, height, width };
  return {
    source: 'x',
    classes: ['a', 'b'],
    ...size,
    ...statistics,
    augment: { pad: 0, flip: false },
    train: set,
    test: set,
  };
};

const batchOf = (data: Dataset): Tensor => {
  const loader = new Loader(data, 'test', { batchSize: 10 });
  loader.begin(0);
  const { images } = loader.batch(0);
  loader.dispose();
  return images;
};

describe('the view of an evaluation', () => {
  it('is bitwise that of a loader, for photos', async () => {
    const data = await openDataset(`folder:${await makePhotos(join(folder, 'photos'), 3)}?size=40`);
    if (!('read' in data.test)) throw new Error('photos are encoded');
    const { test } = data;
    const files = Array.from(test.labels, (_, i) => test.nameOf(i));
    const loader = new Loader(data, 'test', { batchSize: files.length });
    loader.begin(0);
    await loader.ready(0);
    const view = evaluationViewOf(data);
    const pixels = await Promise.all(files.map(async (file, i) => decodeView(await test.read(i), file, view)));
    const bytes = fromArray(Uint8Array.from(Buffer.concat(pixels)), [files.length, 40, 40, 3]);
    expect(maxDifference(normalizedImages(bytes, data, 'cpu'), loader.batch(0).images)).toBe(0);
    loader.dispose();
  });

  it.each([
    [1, 28, 28],
    [3, 32, 32],
    [3, 20, 36],
  ])('is bitwise that of a loader, for images in memory: %i x %i x %i', async (channels, height, width) => {
    const images = Uint8Array.from({ length: 2 * channels * height * width }, (_, i) => (i * 7919) % 256);
    const files = await Promise.all(
      [0, 1].map((image) => {
        const size = channels * height * width;
        const planes = fromArray(images.slice(image * size, (image + 1) * size), [channels, height, width]);
        const data = planes.permute(1, 2, 0).contiguous().toTypedArray() as Uint8Array;
        return sharp(data, { raw: { width, height, channels: channels as 1 | 3 } })
          .png()
          .toBuffer();
      }),
    );
    const data = held(images, channels, height, width);
    expect(maxDifference(await seen(files, data), batchOf(data))).toBe(0);
  });

  it('is kept where photos were packed', async () => {
    const data = await openDataset(`folder:${await makePhotos(join(folder, 'unpacked'), 2)}?size=40`);
    const file = join(folder, 'photos.packed');
    await writePacked(data, file);
    expect(evaluationViewOf(openPacked(file))).toEqual(usualView(40));
  });

  it('covers what it crops, whatever the shape', () => {
    for (const [width, height] of [
      [1, 1],
      [640, 480],
      [3, 700],
      [224, 224],
    ] as const)
      for (const view of [usualView(224), { resize: [20, 36], crop: [20, 36] }, { resize: [60, 32], crop: [28, 28] }]) {
        const { box, ...size } = centerView(width, height, view as ReturnType<typeof usualView>);
        expect(size.width).toBeGreaterThanOrEqual(box.left + box.width);
        expect(size.height).toBeGreaterThanOrEqual(box.top + box.height);
        expect(Math.min(box.left, box.top)).toBeGreaterThanOrEqual(0);
      }
  });

  it.skipIf(!process.env.SRRL_PYTHON)("turns color into Pillow's gray", async () => {
    const [width, height] = [31, 23];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i * 7) % 256);
    const file = join(folder, 'color.png');
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(file);
    const program = 'import sys\nfrom PIL import Image\nprint(list(Image.open(sys.argv[1]).convert("L").getdata()))';
    const { stdout } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program, file], { encoding: 'utf8' });
    const theirs = Uint8Array.from(JSON.parse(stdout) as number[]);
    expect(
      maxDifference(await seen([file], held(theirs, 1, height, width)), batchOf(held(theirs, 1, height, width))),
    ).toBe(0);
  });
});
