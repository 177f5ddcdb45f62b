/** Functions of torch.nn.functional that are, or nearly are, operators of `torch`. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

export const {
  adaptiveMaxPool1d: adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d: adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d: adaptiveMaxPool3dWithIndices,
  alphaDropout,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  batchNorm,
  bilinear,
  celu,
  celu_,
  channelShuffle,
  conv1d,
  conv2d,
  conv3d,
  convTbc,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  elu,
  elu_,
  embeddingBag,
  featureAlphaDropout,
  glu,
  groupNorm,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  hardtanh_,
  instanceNorm,
  leakyRelu,
  leakyRelu_,
  logSigmoid,
  logSigmoid: logsigmoid,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  mish,
  nativeChannelShuffle,
  pdist,
  pixelShuffle,
  pixelUnshuffle,
  prelu,
  relu_,
  relu6,
  rmsNorm,
  rrelu,
  rrelu_,
  selu,
  selu_,
  sigmoid,
  softplus,
  softshrink,
  tanh,
  threshold,
  threshold_,
} = torch;

type PoolSize = Parameters<typeof adaptiveMaxPool1dWithIndices>[1];

/** Largest value of each of `outputSize` windows: [N, C, L] -> [N, C, outputSize]. */
export function adaptiveMaxPool1d(x: Tensor, outputSize: PoolSize): Tensor {
  checkCall('adaptiveMaxPool1d', ['x: tensor', 'outputSize: sizes'], undefined, arguments);
  return adaptiveMaxPool1dWithIndices(x, outputSize)[0];
}

/** Largest value of each window: [N, C, H, W] -> [N, C, ...outputSize]. */
export function adaptiveMaxPool2d(x: Tensor, outputSize: PoolSize): Tensor {
  checkCall('adaptiveMaxPool2d', ['x: tensor', 'outputSize: sizes'], undefined, arguments);
  return adaptiveMaxPool2dWithIndices(x, outputSize)[0];
}

/** Largest value of each window: [N, C, D, H, W] -> [N, C, ...outputSize]. */
export function adaptiveMaxPool3d(x: Tensor, outputSize: PoolSize): Tensor {
  checkCall('adaptiveMaxPool3d', ['x: tensor', 'outputSize: sizes'], undefined, arguments);
  return adaptiveMaxPool3dWithIndices(x, outputSize)[0];
}

/** Zeros whole channels with probability `p` in training and divides the others by 1 - p: [N, C, L]. */
export function dropout1d(x: Tensor, p = 0.5, training = true): Tensor {
  checkCall('dropout1d', ['x: tensor', 'p?: number', 'training'], undefined, arguments);
  return torch.featureDropout(x, p, training);
}

/** {@link dropout1d} for [N, C, H, W]. */
export function dropout2d(x: Tensor, p = 0.5, training = true): Tensor {
  checkCall('dropout2d', ['x: tensor', 'p?: number', 'training'], undefined, arguments);
  return torch.featureDropout(x, p, training);
}

/** {@link dropout1d} for [N, C, D, H, W]. */
export function dropout3d(x: Tensor, p = 0.5, training = true): Tensor {
  checkCall('dropout3d', ['x: tensor', 'p?: number', 'training'], undefined, arguments);
  return torch.featureDropout(x, p, training);
}

/** Softmax of -x along `dim`. */
export function softmin(x: Tensor, dim: number): Tensor {
  checkCall('softmin', ['x: tensor', 'dim: number'], undefined, arguments);
  return torch.softmax(x.neg(), dim);
}

/** x / (1 + |x|) */
export function softsign(x: Tensor): Tensor {
  checkCall('softsign', ['x: tensor'], undefined, arguments);
  return x.div(x.abs().add(1));
}

/** x - tanh(x) */
export function tanhshrink(x: Tensor): Tensor {
  checkCall('tanhshrink', ['x: tensor'], undefined, arguments);
  return x.sub(x.tanh());
}

/** Rows of `weight` [V, E] for int64 indices [...] -> [..., E]. */
export function embedding(indices: Tensor, weight: Tensor): Tensor {
  checkCall('embedding', ['indices: tensor', 'weight: tensor'], undefined, arguments);
  return torch.embedding(weight, indices);
}

/** Options of {@link gumbelSoftmax}. */
export interface GumbelSoftmaxOptions {
  /** Temperature. Default 1. */
  tau?: number;
  /** Returns one-hot vectors, with the gradient of the soft ones. Default false. */
  hard?: boolean;
  /** Default -1. */
  dim?: number;
}

/** Samples from the Gumbel-Softmax distribution of unnormalized log-probabilities. */
export function gumbelSoftmax(logits: Tensor, options: GumbelSoftmaxOptions = {}): Tensor {
  checkCall('gumbelSoftmax', ['logits: tensor'], { tau: 'number', hard: 'boolean', dim: 'number' }, arguments);
  const { tau = 1, hard = false, dim = -1 } = options;
  const gumbels = torch.emptyLike(logits).exponential_().log().neg();
  const soft = logits.add(gumbels).div(tau).softmax(dim);
  if (!hard) return soft;
  const [, index] = soft.max(dim, { keepdim: true });
  const oneHot = torch.zerosLike(logits).scatter(dim, index, 1);
  return oneHot.sub(soft.detach()).add(soft);
}
