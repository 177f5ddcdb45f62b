import { ShapeError } from '../errors.js';
import { scope, type Tensor } from '../tensor/index.js';
import { RowSums, total } from './row-sums.js';

/**
 * Normalized mutual information of two partitions (int64 [N], numbers from 0): their mutual information over the
 * arithmetic mean of their entropies, 0..1. Two partitions with one part each are the same: 1. Throws ShapeError if the
 * lengths differ or are 0.
 */
export function normalizedMutualInformation(a: Tensor, b: Tensor): number {
  if (a.numel() !== b.numel() || a.numel() === 0) {
    throw new ShapeError(
      `Two partitions must be of the same points, at least one: there are [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`,
    );
  }
  const joint = contingency(a, b);
  const rows = joint.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = total(joint);
  const count = a.numel();
  const mean = (entropy(rows, count) + entropy(columns, count)) / 2;
  if (mean === 0) return 1;
  let information = 0;
  for (const [i, row] of joint.entries()) {
    for (const [j, n] of row.entries()) {
      if (n > 0) information += (n / count) * Math.log((n * count) / ((rows[i] as number) * (columns[j] as number)));
    }
  }
  return Math.min(1, Math.max(0, information / mean));
}

/** The number of points in part i of `a` and part j of `b`, as [i][j]. */
function contingency(a: Tensor, b: Tensor): number[][] {
  return scope(() => {
    const columns = Number(b.max().item()) + 1;
    const counts = new RowSums(Number(a.max().item()) + 1, columns);
    counts.add(a, b.oneHot(columns));
    const table = counts.read();
    counts.dispose();
    return table;
  });
}

const entropy = (counts: number[], total: number): number =>
  -counts.reduce((sum, n) => (n > 0 ? sum + (n / total) * Math.log(n / total) : sum), 0);
