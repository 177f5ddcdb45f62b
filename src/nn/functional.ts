/** Pure functions, as torch.nn.functional: shapes and defaults are PyTorch's. What is not here is in `torch` under the same name. */
import { type Tensor, functions as torch } from '../tensor/index.js';

export * from './losses.js';
export { type PaddingMode, type PadOptions, pad } from './pad.js';
export { type InterpolateOptions, interpolate } from './upsample.js';

/** max(0, x) */
export const relu = (x: Tensor): Tensor => torch.relu(x);
/** x times the normal distribution's cumulative function, or its approximation by `tanh`. */
export const gelu = (x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}): Tensor =>
  torch.gelu(x, { approximate });
/** x / (1 + exp(-x)) */
export const silu = (x: Tensor): Tensor => torch.silu(x);
/** x weight^T + bias: [..., in] and [out, in] -> [..., out]. */
export const linear = (x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor => torch.linear(x, weight, bias);
/** exp(x) / sum exp(x) along `dim`. */
export const softmax = (x: Tensor, dim: number): Tensor => torch.softmax(x, dim);
/** Logarithm of the softmax along `dim`, without overflow. */
export const logSoftmax = (x: Tensor, dim: number): Tensor => torch.logSoftmax(x, dim);
/** Zeros elements with probability `p` in training and divides the others by 1 - p. */
export const dropout = (x: Tensor, p = 0.5, training = true): Tensor => torch.dropout(x, p, training);
/** Normalizes over the last dimensions, which have the sizes `shape`. */
export const layerNorm = (
  x: Tensor,
  shape: number[],
  weight: Tensor | null = null,
  bias: Tensor | null = null,
): Tensor => torch.layerNorm(x, shape, weight, bias);

/** int64 class numbers [...] -> [..., numClasses] of zeros with a one. */
export const oneHot = (labels: Tensor, numClasses = -1): Tensor => torch.oneHot(labels, numClasses);

/** Divides by the p-norm along `dim`, but by at least `eps`. */
export function normalize(
  x: Tensor,
  { p = 2, dim = 1, eps = 1e-12 }: { p?: number; dim?: number; eps?: number } = {},
): Tensor {
  return x.div(torch.linalgVectorNorm(x, p, [dim], true).clamp({ min: eps }));
}

/** Cosine of the angle between vectors along `dim`. */
export const cosineSimilarity = (a: Tensor, b: Tensor, { dim = 1, eps = 1e-8 } = {}): Tensor =>
  torch.cosineSimilarity(a, b, dim, eps);

/** softmax(q k^T / sqrt(E) + mask) v for [..., L, E], [..., S, E], [..., S, E']. */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  {
    attnMask = null,
    dropoutP = 0,
    isCausal = false,
  }: { attnMask?: Tensor | null; dropoutP?: number; isCausal?: boolean } = {},
): Tensor {
  return torch.scaledDotProductAttention(query, key, value, attnMask, dropoutP, isCausal);
}

/** Mean over height and width: [N, C, H, W] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => torch.mean(x, [2, 3]);
