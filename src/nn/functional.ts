/** Pure functions, as torch.nn.functional: shapes and defaults are PyTorch's. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

export { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d, type PoolSize } from './adaptive-pool.js';
export { type AttentionForwardOptions, multiHeadAttentionForward } from './attention-forward.js';
export { cosineSimilarity, type PairwiseDistanceOptions, pairwiseDistance } from './distance.js';
export {
  type FractionalPoolOptions,
  fractionalMaxPool2d,
  fractionalMaxPool2dWithIndices,
  fractionalMaxPool3d,
  fractionalMaxPool3dWithIndices,
} from './fractional-pool.js';
export * from './functional-names.js';
export {
  type MultilabelSoftMarginOptions,
  type MultiMarginOptions,
  multilabelMarginLoss,
  multilabelSoftMarginLoss,
  multiMarginLoss,
} from './label-losses.js';
export { localResponseNorm } from './local-response-norm.js';
export * from './losses.js';
export { type LPPoolOptions, lpPool1d, lpPool2d, lpPool3d } from './lp-pool.js';
export { type PaddingMode, type PadOptions, pad } from './pad.js';
export { affineGrid, fold, type GridSampleOptions, gridSample, unfold } from './sampling.js';
export { type TripletDistanceOptions, tripletMarginWithDistanceLoss } from './triplet-distance.js';
export { type MaxUnpoolOptions, maxUnpool1d, maxUnpool2d, maxUnpool3d } from './unpool.js';
export { type InterpolateOptions, interpolate } from './upsample.js';

const geluKinds = { approximate: ['none', 'tanh'] };
const normalizeKinds = { p: 'number', dim: 'number', eps: 'number' } as const;
const attentionKinds = { attnMask: 'any', dropoutP: 'number', isCausal: 'boolean' } as const;

/** max(0, x) */
export function relu(x: Tensor): Tensor {
  checkCall('relu', ['x: tensor'], undefined, arguments);
  return torch.relu(x);
}
/** x times the standard normal cumulative distribution function, or its `tanh` approximation. */
export function gelu(x: Tensor, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkCall('gelu', ['x: tensor'], geluKinds, arguments);
  const { approximate = 'none' } = options;
  return torch.gelu(x, { approximate });
}
/** x / (1 + exp(-x)) */
export function silu(x: Tensor): Tensor {
  checkCall('silu', ['x: tensor'], undefined, arguments);
  return torch.silu(x);
}
/** x weight^T + bias: [..., in] and [out, in] -> [..., out]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  checkCall('linear', ['x: tensor', 'weight?: tensor', 'bias?: tensor'], undefined, arguments);
  return torch.linear(x, weight, bias);
}
/** exp(x) / sum exp(x) along `dim`. */
export function softmax(x: Tensor, dim: number): Tensor {
  checkCall('softmax', ['x: tensor', 'dim?: number'], undefined, arguments);
  return torch.softmax(x, dim);
}
/** Logarithm of the softmax along `dim`, without overflow. */
export function logSoftmax(x: Tensor, dim: number): Tensor {
  checkCall('logSoftmax', ['x: tensor', 'dim?: number'], undefined, arguments);
  return torch.logSoftmax(x, dim);
}
/** Zeros elements with probability `p` in training and divides the others by 1 - p. */
export function dropout(x: Tensor, p = 0.5, training = true): Tensor {
  checkCall('dropout', ['x: tensor', 'p?: number', 'training'], undefined, arguments);
  return torch.dropout(x, p, training);
}
/** Normalizes over the last dimensions, which have the sizes `shape`. */
export function layerNorm(
  x: Tensor,
  shape: number[],
  weight: Tensor | null = null,
  bias: Tensor | null = null,
): Tensor {
  checkCall('layerNorm', ['x: tensor', 'shape: list', 'weight?: tensor', 'bias?: tensor'], undefined, arguments);
  return torch.layerNorm(x, shape, weight, bias);
}

/** One-hot vectors: int64 class numbers [...] -> [..., numClasses]. */
export function oneHot(labels: Tensor, numClasses = -1): Tensor {
  checkCall('oneHot', ['labels: tensor', 'numClasses?: number'], undefined, arguments);
  return torch.oneHot(labels, numClasses);
}

/** Divides by the p-norm along `dim`, but by at least `eps`. */
export function normalize(x: Tensor, options: { p?: number; dim?: number; eps?: number } = {}): Tensor {
  checkCall('normalize', ['x: tensor'], normalizeKinds, arguments);
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  return x.div(torch.linalgVectorNorm(x, p, [dim], true).clamp({ min: eps }));
}

/** softmax(q k^T / sqrt(E) + mask) v for [..., L, E], [..., S, E], [..., S, E']. */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: { attnMask?: Tensor | null; dropoutP?: number; isCausal?: boolean } = {},
): Tensor {
  checkCall('scaledDotProductAttention', ['query: tensor', 'key: tensor', 'value: tensor'], attentionKinds, arguments);
  const { attnMask = null, dropoutP = 0, isCausal = false } = options;
  return torch.scaledDotProductAttention(query, key, value, attnMask, dropoutP, isCausal);
}

/** Mean over height and width: [N, C, H, W] -> [N, C]. */
export function globalAvgPool(x: Tensor): Tensor {
  checkCall('globalAvgPool', ['x: tensor'], undefined, arguments);
  return torch.mean(x, [2, 3]);
}
