import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { drawShapes } from '../../src/data/datasets/shapes.js';
import { philox4x32 } from '../../src/data/philox.js';
import { DataError, type Dataset, type ImageSet, Loader, openDataset, type Split } from '../../src/index.js';
import torch from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-data-'));
afterAll(() => rmSync(folder, { recursive: true }));
const shared = process.env.SRRL_TEST_DATA ?? '../shared/data';

/** A split whose images are in memory. */
const held = (split: Split) => split as ImageSet;

describe('Philox 4x32-10', () => {
  it("gives the known answers of the authors' Random123", () => {
    expect(philox4x32([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    expect(philox4x32([ones, ones, ones, ones], [ones, ones])).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });
});

describe('shapes', () => {
  it('are the same for the same seed, sample by sample, however many are drawn', () => {
    const [few, many] = [drawShapes(1, 'train', 24), drawShapes(1, 'train', 60)];
    expect(many.images.subarray(0, few.images.length)).toEqual(few.images);
    expect(drawShapes(1, 'test', 24).images).not.toEqual(few.images);
    expect(drawShapes(2, 'train', 24).images).not.toEqual(few.images);
  });

  it('of the level easy are light on a dark ground', () => {
    const easy = drawShapes(1, 'train', 120, true).images;
    for (let image = 0; image < 120; image++) {
      const pixels = easy.subarray(3072 * image, 3072 * (image + 1));
      // A dark ground, of which the corner is never covered, shaded by at most 35 and with noise of at most 10.
      expect(pixels[0]).toBeLessThanOrEqual(100 + 35 + 10);
      expect(Math.max(...pixels)).toBeGreaterThanOrEqual(150 - 10);
    }
  });

  it('open with as many training images as are asked for', async () => {
    const data = await openDataset('shapes:36');
    expect(data.train.labels).toHaveLength(36);
    expect(data.classes.length).toBeGreaterThanOrEqual(10);
    expect(held(data.train).images).toHaveLength(36 * 3 * 32 * 32);
    await expect(openDataset('shapes:1')).rejects.toThrow(DataError);
    await expect(openDataset('shapes:many')).rejects.toThrow(/whole number/);
  });
});

/** `count` records of Fashion-MNIST's form whose first pixel is the sample's number. */
function writeIdx(path: string, count: number, { gzip = true, cut = 0, size = 28 } = {}): void {
  for (const [split, extra] of [
    ['train', 0],
    ['t10k', 100],
  ] as const) {
    const images = Buffer.alloc(16 + count * size * size);
    images.writeUInt32BE(0x0803, 0);
    for (const [i, value] of [count, size, size].entries()) images.writeUInt32BE(value, 4 + 4 * i);
    for (let i = 0; i < count; i++) images[16 + i * size * size] = i + extra;
    const labels = Buffer.alloc(8 + count);
    labels.writeUInt32BE(0x0801, 0);
    labels.writeUInt32BE(count, 4);
    for (let i = 0; i < count; i++) labels[8 + i] = i % 10;
    for (const [name, bytes] of [
      ['images-idx3', images.subarray(0, images.length - cut)],
      ['labels-idx1', labels],
    ] as const) {
      writeFileSync(join(path, `${split}-${name}-ubyte${gzip ? '.gz' : ''}`), gzip ? gzipSync(bytes) : bytes);
    }
  }
}

const scratch = () => mkdtempSync(join(folder, 'set-'));

describe('Fashion-MNIST', () => {
  it.each([true, false])('reads idx files, gzip %s', async (gzip) => {
    const path = scratch();
    writeIdx(path, 12, { gzip });
    const data = await openDataset(`fashion-mnist:${path}`);
    expect([...data.train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    expect(held(data.test).images[3 * 784]).toBe(103);
  });

  it('refuses what is missing, cut off, of another size or no idx', async () => {
    await expect(openDataset('fashion-mnist:/nowhere')).rejects.toThrow(/does not exist/);
    await expect(openDataset('fashion-mnist')).rejects.toThrow(/needs a path: fashion-mnist:DIR/);
    const empty = scratch();
    await expect(openDataset(`fashion-mnist:${empty}`)).rejects.toThrow(/train-images-idx3-ubyte.gz is missing/);
    const cut = scratch();
    writeIdx(cut, 12, { cut: 5 });
    await expect(openDataset(`fashion-mnist:${cut}`)).rejects.toThrow(/truncated/);
    const small = scratch();
    writeIdx(small, 12, { size: 14 });
    await expect(openDataset(`fashion-mnist:${small}`)).rejects.toThrow(/14x14/);
    writeFileSync(join(empty, 'train-images-idx3-ubyte.gz'), gzipSync('hello').subarray(0, 12));
    await expect(openDataset(`fashion-mnist:${empty}`)).rejects.toThrow(DataError);
    await expect(openDataset('fashion-minst:x')).rejects.toThrow(/Did you mean fashion-mnist/);
  });

  it.skipIf(!existsSync(join(shared, 'fashion-mnist')))('reads the real files', async () => {
    const data = await openDataset(`fashion-mnist:${join(shared, 'fashion-mnist')}`);
    expect([data.train.labels.length, data.test.labels.length]).toEqual([60000, 10000]);
    const counts = new Array(10).fill(0);
    for (const label of data.test.labels) counts[label]++;
    expect(counts).toEqual(new Array(10).fill(1000));
    const mean = held(data.train).images.reduce((sum, value) => sum + value, 0) / held(data.train).images.length / 255;
    expect(mean).toBeCloseTo(data.mean[0] as number, 3);
  });
});

describe('CIFAR-100', () => {
  const record = (coarse: number, fine: number, pixel: number) =>
    Buffer.concat([Buffer.from([coarse, fine]), Buffer.alloc(3072, pixel)]);

  it('reads the binary form', async () => {
    const path = scratch();
    writeFileSync(join(path, 'train.bin'), Buffer.concat([record(1, 7, 10), record(2, 99, 20)]));
    writeFileSync(join(path, 'test.bin'), record(3, 0, 30));
    const data = await openDataset(`cifar100:${path}`);
    expect([...data.train.labels]).toEqual([7, 99]);
    expect([held(data.train).images[0], held(data.train).images[3072], held(data.test).images[100]]).toEqual([
      10, 20, 30,
    ]);
  });

  it('refuses what is missing, cut off or out of range', async () => {
    const path = scratch();
    await expect(openDataset(`cifar100:${path}`)).rejects.toThrow(/train.bin is missing/);
    writeFileSync(join(path, 'train.bin'), record(1, 7, 10).subarray(1));
    await expect(openDataset(`cifar100:${path}`)).rejects.toThrow(/truncated/);
    writeFileSync(join(path, 'train.bin'), record(1, 100, 10));
    await expect(openDataset(`cifar100:${path}`)).rejects.toThrow(/above 99/);
    rmSync(join(path, 'train.bin'));
    writeFileSync(join(path, 'train.bin.xz'), 'not xz');
    await expect(openDataset(`cifar100:${path}`)).rejects.toThrow(/cannot be unpacked|needs the xz tool/);
  });

  it.skipIf(!existsSync(join(shared, 'cifar-100-binary')))('reads the real files through xz', async () => {
    const data = await openDataset(`cifar100:${join(shared, 'cifar-100-binary')}`);
    expect([data.train.labels.length, data.test.labels.length]).toEqual([50000, 10000]);
    expect(data.classes[0]).toBe('apple');
    const red = (i: number) =>
      held(data.train)
        .images.subarray(i * 3072, i * 3072 + 1024)
        .reduce((sum, value) => sum + value, 0);
    const mean =
      Array.from({ length: 50000 }, (_, i) => red(i)).reduce((sum, value) => sum + value, 0) / (50000 * 1024 * 255);
    expect(mean).toBeCloseTo(0.50707516, 6);
  });
});

/** Six 4x5 images of two channels. */
const tiny: Dataset = {
  source: 'tiny',
  classes: ['a', 'b', 'c'],
  channels: 2,
  height: 4,
  width: 5,
  mean: [0.5, 0.25],
  std: [0.2, 0.4],
  augment: { pad: 1, flip: true },
  train: {
    images: Uint8Array.from({ length: 6 * 40 }, (_, i) => (i * 37) % 256),
    labels: Uint8Array.of(0, 1, 2, 0, 1, 2),
  },
  test: { images: new Uint8Array(40), labels: Uint8Array.of(2) },
};

describe('the loader', () => {
  const seed = 5;
  /** What native/ops/views.cc draws: the four numbers of (seed; sample, epoch, stream). */
  const drawn = (epoch: number, sample: number, stream: number) =>
    philox4x32([(epoch << 4) | stream, 0, sample, 0], [seed, 0]);

  it('normalizes as plain arithmetic does, in channels_last', () => {
    const loader = new Loader(tiny, 'train', { batchSize: 4 });
    expect(loader.steps).toBe(2);
    loader.begin(0);
    const { images, labels, indices } = loader.batch(1);
    expect(labels.tolist()).toEqual([1, 2]);
    expect(indices.tolist()).toEqual([4, 5]);
    expect(images.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
    const plain = torch.fromArray(held(tiny.train).images, [6, 2, 4, 5]).to('float64').div(255);
    const [mean, std] = [
      torch.tensor([0.5, 0.25], { dtype: 'float64' }),
      torch.tensor([0.2, 0.4], { dtype: 'float64' }),
    ];
    const expected = plain
      .sub(mean.view(1, 2, 1, 1))
      .div(std.view(1, 2, 1, 1))
      .narrow(0, 4, 2)
      .to('float32');
    expect(images.allclose(expected, 1e-6, 1e-6)).toBe(true);
  });

  it('crops, flips and orders by Philox of (seed, epoch, sample)', () => {
    const loader = new Loader(tiny, 'train', { batchSize: 6, seed, shuffle: true, augment: true });
    const padded = torch.constantPadNd(torch.fromArray(held(tiny.train).images, [6, 2, 4, 5]), [1, 1, 1, 1], 0);
    for (const epoch of [0, 3]) {
      loader.begin(epoch);
      const { images, indices } = loader.batch(0);
      const keys = [0, 1, 2, 3, 4, 5].map((sample) => ({ sample, key: drawn(epoch, sample, 2) }));
      keys.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1]);
      expect(indices.tolist()).toEqual(keys.map(({ sample }) => sample));
      for (const [row, { sample }] of keys.entries()) {
        const [top, left] = drawn(epoch, sample, 0).map((bits) => Math.floor((bits * 3) / 2 ** 32)) as [number, number];
        const crop = padded.select(0, sample).narrow(1, top, 4).narrow(2, left, 5);
        const view = (drawn(epoch, sample, 1)[0] as number) >= 2 ** 31 ? crop.flip([2]) : crop;
        const expected = view
          .to('float64')
          .div(255)
          .sub(torch.tensor([[[0.5]], [[0.25]]]))
          .div(torch.tensor([[[0.2]], [[0.4]]]));
        expect(images.select(0, row).allclose(expected.to('float32'), 1e-5, 1e-5)).toBe(true);
      }
    }
  });

  it('shows a sample in the same view whatever the batch size', () => {
    const views = (batchSize: number) => {
      const loader = new Loader(tiny, 'train', { batchSize, seed: 9, shuffle: true, augment: true });
      loader.begin(2);
      const batches = Array.from({ length: loader.steps }, (_, step) => loader.batch(step));
      return torch.cat(batches.map(({ images }) => images));
    };
    expect(views(6).equal(views(1))).toBe(true);
    expect(views(6).equal(views(4))).toBe(true);
  });

  it('crops evenly and flips half of the time', () => {
    const one: Dataset = {
      ...tiny,
      train: { images: held(tiny.train).images.subarray(0, 40), labels: Uint8Array.of(0) },
    };
    const loader = new Loader(one, 'train', { batchSize: 1, seed, augment: true });
    const seen = new Map<string, number>();
    const epochs = 1800;
    for (let epoch = 0; epoch < epochs; epoch++) {
      loader.begin(epoch);
      const key = torch.scope(() => (loader.batch(0).images.toTypedArray() as Float32Array).join());
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    // 9 crops, each flipped or not; each expected 100 times with a deviation of about 10.
    expect(seen.size).toBe(18);
    for (const count of seen.values()) expect(Math.abs(count - epochs / 18)).toBeLessThan(50);
  });
});
