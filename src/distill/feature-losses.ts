/** Losses that compare feature maps [N, C, H, W] of student and teacher. */
import { functional as F } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** Averages a map [N, C, H, W] to another height and width; returns the same map if it has them. */
export function pooledTo(map: Tensor, size: readonly number[]): Tensor {
  if (map.shape[2] === size[0] && map.shape[3] === size[1]) return map;
  return F.adaptiveAvgPool2d(map, size);
}

/** Returns both maps, the larger one averaged to the size of the smaller one. */
export function pooledToSmaller(a: Tensor, b: Tensor): [Tensor, Tensor] {
  return (a.shape[2] as number) > (b.shape[2] as number)
    ? [pooledTo(a, b.shape.slice(2)), b]
    : [a, pooledTo(b, a.shape.slice(2))];
}

/**
 * Squared difference of attention maps, mean over batch and positions (Zagoruyko and Komodakis, ICLR 2017): the mean of
 * f^p over channels, flattened and normalized. The larger map is averaged to the size of the smaller one.
 */
export function attentionLoss(fS: Tensor, fT: Tensor, power = 2): Tensor {
  const attention = (f: Tensor) => F.normalize(f.pow(power).mean([1]).flatten(1));
  const [s, t] = pooledToSmaller(fS, fT);
  return F.mseLoss(attention(s), attention(t));
}

/**
 * Squared difference of the similarities of a batch's samples, mean over all pairs (Tung and Mori, ICCV 2019): the Gram
 * matrices [N, N] of the flattened features, with normalized rows.
 */
export function similarityLoss(fS: Tensor, fT: Tensor): Tensor {
  const similarities = (f: Tensor) => {
    const flat = f.flatten(1);
    return F.normalize(flat.matmul(flat.t()));
  };
  return F.mseLoss(similarities(fS), similarities(fT));
}

/**
 * Hierarchical context loss (Chen et al., CVPR 2021): the squared error of two maps of one size, and of their averages
 * at 4x4, 2x2 and 1x1 as far as these are smaller, each with half the weight of the one before; the weights sum to 1.
 */
export function contextLoss(fS: Tensor, fT: Tensor): Tensor {
  const height = fS.shape[2] as number;
  let loss = F.mseLoss(fS, fT);
  let weight = 1;
  let sum = 1;
  for (const size of [4, 2, 1].filter((smaller) => smaller < height)) {
    weight /= 2;
    sum += weight;
    const [s, t] = [pooledTo(fS, [size, size]), pooledTo(fT, [size, size])];
    loss = loss.add(F.mseLoss(s, t), { alpha: weight });
  }
  return loss.div(sum);
}
