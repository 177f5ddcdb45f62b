import { SampleRandom, streams } from '../data/philox.js';
import { ArgumentError } from '../errors.js';
import { fromArray, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

export interface KMeansOptions {
  /** Seed of the first centers. Default 0. */
  seed?: number;
  /** Maximum rounds of Lloyd's algorithm; it stops earlier if no assignment changes. Default 100. */
  iterations?: number;
}

/**
 * Clusters points [N, C] into `clusters` by Lloyd's algorithm, from centers chosen by greedy k-means++ (Arthur and
 * Vassilvitskii, SODA 2007). Returns cluster numbers, int64 [N]. A cluster that loses all its points keeps its center.
 * Throws ArgumentError if there are fewer points than clusters.
 */
export function kMeans(points: Tensor, clusters: number, { seed = 0, iterations = 100 }: KMeansOptions = {}): Tensor {
  const [count = 0] = points.shape;
  if (points.ndim !== 2 || !Number.isInteger(clusters) || clusters < 1 || clusters > count) {
    throw new ArgumentError(
      `kMeans() cannot make ${clusters} clusters of points [${points.shape.join(', ')}]: it takes [N, C] and 1 to N clusters.`,
    );
  }
  return noGrad(() =>
    scope(() => {
      // Centering keeps the distances and reduces their rounding errors.
      const centered = points.sub(points.mean(0));
      let centers = firstCenters(centered, clusters, seed);
      let assigned = nearest(centered, centers);
      for (let round = 0; round < iterations; round++) {
        const [nextCenters, next] = scope(() => {
          const moved = means(centered, assigned, centers);
          return [moved, nearest(centered, moved)] as const;
        });
        const settled = next.equal(assigned);
        assigned.dispose();
        centers.dispose();
        [centers, assigned] = [nextCenters, next];
        if (settled) break;
      }
      return assigned;
    }),
  );
}

/** Squared distances [M, N] of points [M, C] from points [N, C]. */
function distances(from: Tensor, to: Tensor): Tensor {
  const squares = from.square().sum(1, true).add(to.square().sum(1));
  return squares.addmm(from, to.t(), { alpha: -2 }).clamp(0);
}

/**
 * Chooses the first centers: samples several points with probability proportional to their squared distance from the
 * centers so far, and takes the one that leaves the smallest sum of distances.
 */
function firstCenters(points: Tensor, clusters: number, seed: number): Tensor {
  const [count = 0] = points.shape;
  const random = new SampleRandom(seed, streams.kMeans, 0);
  const trials = 2 + Math.floor(Math.log(clusters));
  const chosen = [points.narrow(0, random.below(count), 1)];
  let closest = distances(chosen[0] as Tensor, points);
  while (chosen.length < clusters) {
    const [center, next] = scope(() => {
      // On the CPU: GPUs have no deterministic sum of this kind.
      const cumulated = closest.squeeze(0).to({ device: 'cpu' }).cumsum(0, { dtype: 'float64' });
      const drawn = fromArray(Float64Array.from({ length: trials }, () => random.uniform())).mul(cumulated.at(-1));
      const numbers = torch.searchsorted(cumulated, drawn, { right: true }).clamp(null, count - 1);
      const candidates = points.indexSelect(0, numbers.to({ device: points.device }));
      const left = distances(candidates, points).minimum(closest);
      const best = left.sum(1).argmin(0, true);
      return [candidates.indexSelect(0, best), left.indexSelect(0, best)] as const;
    });
    closest.dispose();
    closest = next;
    chosen.push(center);
  }
  return torch.cat(chosen, 0);
}

function nearest(points: Tensor, centers: Tensor): Tensor {
  return distances(points, centers).argmin(1);
}

function means(points: Tensor, assigned: Tensor, centers: Tensor): Tensor {
  const counts = torch.zeros([centers.shape[0] as number, 1], { dtype: points.dtype, device: points.device });
  counts.indexAdd_(0, assigned, torch.onesLike(points.narrow(1, 0, 1)));
  const sums = torch.zerosLike(centers).indexAdd_(0, assigned, points);
  return torch.where(counts.gt(0), sums.div(counts), centers);
}
