/** What holds of all loaders: orders, parts and views, whatever sizes and seeds are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partShares, partsOf } from '../../src/data/ranks.js';
import { holdOut, Loader, type LoaderOptions, openDataset } from '../../src/index.js';
import torch from '../../src/torch.js';

const data = await openDataset('shapes:48?test=24');
const runs = { numRuns: 25 };
const seed = fc.nat(2 ** 31 - 1);
const epoch = fc.nat(30);
const batchSize = fc.integer({ min: 1, max: 50 });

/** Numbers and pixels of an epoch's images, in their order. */
function epochOf(options: LoaderOptions, number: number): { indices: number[]; images: Map<number, string> } {
  const loader = new Loader(data, 'train', options);
  const indices: number[] = [];
  const images = new Map<number, string>();
  try {
    loader.begin(number);
    for (let step = 0; step < loader.steps; step++)
      torch.scope(() => {
        const batch = loader.batch(step);
        for (const [row, index] of (batch.indices.tolist() as number[]).entries()) {
          indices.push(index);
          const pixels = batch.images.select(0, row).contiguous().toTypedArray();
          images.set(index, Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength).toString('latin1'));
        }
      });
  } finally {
    loader.dispose();
  }
  return { indices, images };
}

describe('an epoch', () => {
  it('has each image once, in an order that seed and epoch alone decide', () => {
    fc.assert(
      fc.property(seed, epoch, batchSize, batchSize, (number, at, one, other) => {
        const first = epochOf({ batchSize: one, shuffle: true, seed: number }, at).indices;
        expect([...first].sort((a, b) => a - b)).toEqual([...Array(48).keys()]);
        expect(epochOf({ batchSize: other, shuffle: true, seed: number }, at).indices).toEqual(first);
      }),
      runs,
    );
  });

  it('shows an image in the view that seed, epoch and its number decide, whatever the batch is', () => {
    fc.assert(
      fc.property(seed, epoch, batchSize, batchSize, (number, at, one, other) => {
        const options = { shuffle: true, augment: true, seed: number };
        const first = epochOf({ ...options, batchSize: one }, at).images;
        const second = epochOf({ ...options, batchSize: other, shuffle: false }, at).images;
        for (const [index, pixels] of first) expect(second.get(index) === pixels, `image ${index}`).toBe(true);
      }),
      runs,
    );
  });

  it('repeats its views after as many epochs as there are views', () => {
    fc.assert(
      fc.property(seed, fc.integer({ min: 1, max: 4 }), fc.nat(8), (number, views, at) => {
        const options = { batchSize: 16, augment: true, seed: number, views };
        expect(epochOf(options, at + views).images).toEqual(epochOf(options, at).images);
      }),
      { numRuns: 10 },
    );
  });
});

describe('what is held out', () => {
  it('and what is left have no image in common, and together all; each class gives its share', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.13, max: 0.87, noNaN: true }), seed, (share, number) => {
        const { train, validation } = holdOut(data, share, number);
        const rows = (split: typeof train) => [...(split.rows ?? [])].map(Number);
        const all = [...rows(train), ...rows(validation as typeof train)];
        expect(all.sort((a, b) => a - b)).toEqual([...Array(48).keys()]);
        const counts = new Map<number, number>();
        for (const label of (validation as typeof train).labels) counts.set(label, (counts.get(label) ?? 0) + 1);
        for (let label = 0; label < 12; label++) expect(counts.get(label) ?? 0).toBe(Math.round(share * 4));
      }),
      { numRuns: 60 },
    );
  });
});

describe('parts of a batch', () => {
  const count = fc.integer({ min: 1, max: 300 });
  it('follow one another without a gap, none of them empty', () => {
    fc.assert(
      fc.property(count, count, (total, size) => {
        let next = 0;
        for (const [begin, length] of partsOf(total, size)) {
          expect(begin).toBe(next);
          expect(length).toBeGreaterThan(0);
          next += length;
        }
        expect(next).toBe(total);
      }),
    );
  });

  it('are shared by processes so that all images are taken once', () => {
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 8 }), (total, part, worldSize) => {
        const ranks = Array.from({ length: worldSize }, (_, rank) => partShares(total, { part }, { rank, worldSize }));
        for (const [i, { total: whole, everyone }] of (ranks[0] ?? []).entries()) {
          const sizes = ranks.map((shares) => shares[i]?.size ?? 0);
          // A part of fewer images than processes goes to all of them.
          if (everyone) expect(new Set(sizes)).toEqual(new Set([whole]));
          else expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(whole);
        }
        expect(new Set(ranks.map(({ length }) => length)).size).toBe(1);
      }),
    );
  });
});
