import { describe, expect, it } from 'vitest';
import { LinearCKA } from '../../src/analysis/cka.js';
import { kMeans } from '../../src/analysis/kmeans.js';
import { normalizedMutualInformation } from '../../src/analysis/nmi.js';
import { ArgumentError, ShapeError } from '../../src/errors.js';
import torch, { type Tensor } from '../../src/torch.js';
import { expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

const expected = fixture<{ nmi: { a: number[]; b: number[]; value: number }[] }>('analysis');

/** Fed in batches of `size`. */
function cka(x: Tensor, y: Tensor, size = 11): number | null {
  const sums = new LinearCKA();
  for (let at = 0; at < (x.shape[0] as number); at += size) {
    torch.scope(() => sums.add(x.slice(0, at, at + size), y.slice(0, at, at + size)));
  }
  const value = sums.read();
  sums.dispose();
  return value;
}

describe('linear CKA', () => {
  const x = ramp([40, 5], { step: 91 });
  const y = ramp([40, 7], { step: 57 });

  it('does not depend on batches, origin, scale or rotation', () => {
    const value = cka(x, y) as number;
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(1);
    const [rotation] = torch.linalgQr(ramp([5, 5], { step: 131 }));
    expectCloseNumber(cka(x, y, 40) as number, value, 1e-12);
    expectCloseNumber(cka(y, x) as number, value, 1e-12);
    expectCloseNumber(cka(x.mul(-3), y.mul(0.01)) as number, value, 1e-12);
    expectCloseNumber(cka(x.matmul(rotation), y) as number, value, 1e-12);
    expectCloseNumber(cka(x.add(1e4), y) as number, value, 1e-9);
    expectCloseNumber(cka(x, x.matmul(rotation)) as number, 1, 1e-12);
  });

  it('is not defined for a feature that is always the same', () => {
    expect(cka(x, torch.full([40, 3], 0.1, { dtype: 'float64' }))).toBeNull();
    expect(new LinearCKA().read()).toBeNull();
  });
});

describe('normalized mutual information', () => {
  it.each(expected.nmi.map((one, i) => [i, one] as const))('is that of scikit-learn, %i', (_, { a, b, value }) => {
    const [first, second] = [torch.tensor(a), torch.tensor(b)];
    expect(Math.abs(normalizedMutualInformation(first, second) - value)).toBeLessThanOrEqual(1e-12);
    expect(Math.abs(normalizedMutualInformation(second, first) - value)).toBeLessThanOrEqual(1e-12);
  });

  it('refuses partitions of other lengths', () => {
    expect(() => normalizedMutualInformation(torch.tensor([0, 1]), torch.tensor([0]))).toThrow(ShapeError);
  });
});

describe('k-means', () => {
  const clusters = 12;
  const labels = torch.arange(240).remainder(clusters);
  const points = ramp([clusters, 6], { scale: 50, step: 577 })
    .indexSelect(0, labels)
    .add(ramp([240, 6], { scale: 0.5, step: 31 }));

  it.each([0, 1, 2])('finds clusters that lie apart, from seed %i, and the same ones again', (seed) => {
    const found = kMeans(points, clusters, { seed });
    expectCloseNumber(normalizedMutualInformation(found, labels), 1, 1e-12);
    expect(kMeans(points, clusters, { seed }).tolist()).toEqual(found.tolist());
    expectCloseNumber(normalizedMutualInformation(kMeans(points.float(), clusters, { seed }), labels), 1, 1e-12);
  });

  it('takes as many clusters as points, equal points, and refuses more', () => {
    expect(new Set(kMeans(points.slice(0, 0, 12), 12).tolist() as number[]).size).toBe(12);
    expect(kMeans(torch.ones([4, 2]), 3).shape).toEqual([4]);
    expect(() => kMeans(points, 241)).toThrow(ArgumentError);
  });

  it('ends where every point is nearest to the mean of its own cluster', () => {
    const scattered = ramp([100, 3], { step: 271 });
    const found = kMeans(scattered, 7);
    const own = found.tolist() as number[];
    const members = Array.from({ length: 7 }, (_, c) => own.flatMap((cluster, i) => (cluster === c ? [i] : [])));
    const means = torch.stack(members.map((rows) => scattered.indexSelect(0, torch.tensor(rows)).mean(0)));
    expect(torch.cdist(scattered, means).argmin(1).tolist()).toEqual(own);
  });
});
