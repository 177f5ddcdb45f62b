import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { type Order, shareOf } from '../../src/data/ranks.js';
import {
  ConfigError,
  type Dataset,
  type EncodedSet,
  holdOut,
  Loader,
  type LoaderOptions,
  openDataset,
} from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-ranks-'));
afterAll(() => rmSync(root, { recursive: true }));

const ranksOf = (worldSize: number) => Array.from({ length: worldSize }, (_, rank) => ({ rank, worldSize }));
const ascending = (numbers: number[]) => [...numbers].sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The batches of every rank. */
function batchesOf(sharing: Parameters<typeof shareOf>[0], worldSize: number, order: Order): number[][][] {
  return ranksOf(worldSize).map((options) => {
    const share = shareOf(sharing, options);
    const batches = upTo(share.steps).map((step) => share.samples(order, step));
    expect(batches.flat()).toHaveLength(share.count);
    expect([-1, share.steps].flatMap((step) => share.samples(order, step))).toEqual([]);
    return batches;
  });
}

describe('the parts of several processes', () => {
  it('are disjoint, together the whole, as many batches each, and those of one process', () => {
    for (const count of [7, 8, 23, 24, 25, 48, 49, 61])
      for (const batchSize of [1, 2, 3, 5, 64])
        for (const worldSize of [1, 2, 3, 4, 7]) {
          // Coprime with every count here: an order.
          const order: Order = (position) => (position * 101 + 3) % count;
          const ranks = batchesOf({ count, batchSize }, worldSize, order);
          const what = JSON.stringify({ count, batchSize, worldSize });
          expect(ascending(ranks.flat(2)), what).toEqual(upTo(count));
          expect(new Set(ranks.map(({ length }) => length)).size, what).toBe(1);
          const steps = ranks[0]?.length ?? 0;
          const [single = []] = batchesOf({ count, batchSize: batchSize * worldSize }, 1, order);
          for (const step of upTo(steps)) {
            const sizes = ranks.map((batches) => batches[step]?.length ?? 0);
            expect(Math.min(...sizes), what).toBeGreaterThan(0);
            expect(Math.max(...sizes) - Math.min(...sizes), what).toBeLessThanOrEqual(1);
            const together = ranks.flatMap((batches) => batches[step] ?? []);
            // Less than an image a process has no batch of its own.
            expect(together, what).toEqual(step === steps - 1 ? single.slice(step).flat() : single[step]);
          }
        }
  });

  it('are whole shards where there are enough, the same in every epoch', () => {
    const sizes = [5, 9, 3, 8, 8, 7];
    const shards = sizes.flatMap((size, shard) => new Array<number>(size).fill(shard));
    const count = shards.length;
    const shardOf = (sample: number) => shards[sample] as number;
    const epochs = [7, 11].map(
      (factor): Order =>
        (position) =>
          (position * factor) % count,
    );
    for (const worldSize of [2, 3, 4]) {
      const [first = [], second = []] = epochs.map((order) =>
        batchesOf({ count, batchSize: 4, shardOf }, worldSize, order),
      );
      const shardsOf = (ranks: number[][][]) =>
        ranks.map((batches) => ascending([...new Set(batches.flat().map(shardOf))]));
      expect(ascending(first.flat(2))).toEqual(upTo(count));
      expect(ascending(shardsOf(first).flat())).toEqual(upTo(sizes.length));
      expect(shardsOf(second)).toEqual(shardsOf(first));
      expect(second).not.toEqual(first);
      expect(new Set(first.map(({ length }) => length)).size).toBe(1);
      for (const batch of first.flat()) expect([1, 2, 3, 4]).toContain(batch.length);
      // In the epoch's order.
      const places = first.map((batches) =>
        batches.flat().map((sample) => upTo(count).findIndex((i) => epochs[0]?.(i) === sample)),
      );
      for (const own of places) expect(own).toEqual(ascending(own));
    }
  });

  it('are single samples where there are too few shards, or one of them is too small', () => {
    const order: Order = (position) => position;
    for (const shards of [
      [10, 10],
      [20, 1, 1],
    ]) {
      const all = shards.flatMap((size, shard) => new Array<number>(size).fill(shard));
      const sharing = { count: all.length, batchSize: 2 };
      const withShards = batchesOf({ ...sharing, shardOf: (sample) => all[sample] as number }, 3, order);
      expect(withShards).toEqual(batchesOf(sharing, 3, order));
    }
  });

  it('need a rank that there is, and an image for each', () => {
    const sharing = { count: 3, batchSize: 2 };
    expect(() => shareOf(sharing, { rank: 2, worldSize: 2 })).toThrow(/no rank 2 of 2: ranks go from 0 to 1/);
    expect(() => shareOf(sharing, { rank: 0, worldSize: 4 })).toThrow(/3 images cannot be shared by 4 processes/);
    expect(() => shareOf(sharing, { rank: -1, worldSize: 4 })).toThrow(ConfigError);
    expect(() => shareOf(sharing, { rank: 0.5, worldSize: 2 })).toThrow(/'rank'/);
  });
});

/** What a loader shows in an epoch, by sample. */
async function seen(
  data: Dataset,
  options: Partial<LoaderOptions>,
  epoch: number,
): Promise<Map<number, [Tensor, Tensor]>> {
  const loader = new Loader(data, 'train', { batchSize: 4, seed: 7, shuffle: true, augment: true, ...options });
  const views = new Map<number, [Tensor, Tensor]>();
  let count = 0;
  loader.begin(epoch);
  for (let step = 0; step < loader.steps; step++) {
    await loader.ready(step);
    const { images, labels, indices } = loader.batch(step);
    for (const [row, sample] of (indices.tolist() as number[]).entries()) {
      views.set(sample, [images.select(0, row), labels.select(0, row)]);
      count++;
    }
  }
  expect([count, views.size]).toEqual([loader.count, loader.count]);
  loader.dispose();
  return views;
}

async function expectSameViews(data: Dataset, worldSize: number, options: Partial<LoaderOptions> = {}): Promise<void> {
  for (const epoch of [0, 3]) {
    const single = await seen(data, options, epoch);
    const parts = await Promise.all(ranksOf(worldSize).map((rank) => seen(data, { ...options, ...rank }, epoch)));
    expect(ascending(parts.flatMap((part) => [...part.keys()]))).toEqual(ascending([...single.keys()]));
    for (const [sample, [image, label]] of parts.flatMap((part) => [...part])) {
      const [expected, itsLabel] = single.get(sample) as [Tensor, Tensor];
      expect([sample, torch.equal(image, expected), torch.equal(label, itsLabel)]).toEqual([sample, true, true]);
    }
  }
}

describe('loaders of several processes', () => {
  it('show each image as one process does, also mixed, and of a part of the data', async () => {
    const data = await openDataset('shapes:60');
    await expectSameViews(data, 3);
    await expectSameViews(data, 2, { augment: { mixup: { alpha: 0.4 } } });
    await expectSameViews(holdOut(data, 0.2), 2);
  });

  /** Four shards of three or four images each, and one for the test. */
  async function writeShards(): Promise<string> {
    const path = join(root, 'shards');
    mkdirSync(path);
    for (const [shard, size] of [4, 3, 3, 4, 2].entries()) {
      const stage = join(root, `stage-${shard}`);
      mkdirSync(stage);
      for (const i of upTo(size)) {
        const background = { r: 40 * shard, g: 60 * i, b: 90 };
        const image = sharp({ create: { width: 24, height: 20, channels: 3, background } });
        writeFileSync(join(stage, `${shard}-${i}.jpg`), await image.jpeg().toBuffer());
        writeFileSync(join(stage, `${shard}-${i}.cls`), String(i % 2));
      }
      const name = shard === 4 ? 'val-0.tar' : `train-${shard}.tar`;
      execFileSync('tar', ['--sort=name', '-C', stage, '-cf', join(path, name), '.']);
    }
    return path;
  }

  it('read whole shards each, and together show what one process does', async () => {
    const data = await openDataset(`shards:${await writeShards()}?size=16`);
    const split = data.train as EncodedSet;
    expect(upTo(14).map((image) => split.shardOf?.(image))).toEqual([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]);
    await expectSameViews(data, 2);
    await expectSameViews(holdOut(data, 0.3), 2);
    for (const epoch of [0, 1]) {
      const parts = await Promise.all(ranksOf(2).map((rank) => seen(data, rank, epoch)));
      const shardsOf = parts.map((part) =>
        ascending([...new Set([...part.keys()].map((image) => split.shardOf?.(image) ?? -1))]),
      );
      expect(shardsOf).toEqual([
        [0, 1],
        [2, 3],
      ]);
    }
  });
});
