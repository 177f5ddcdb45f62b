/** Functions of torch.nn.functional that are, or nearly are, operators of `torch`. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

export const {
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  alphaDropout,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  batchNorm,
  bilinear,
  celu,
  channelShuffle,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  elu,
  embeddingBag,
  featureAlphaDropout,
  glu,
  groupNorm,
  hardshrink,
  hardsigmoid,
  hardswish,
  hardtanh,
  instanceNorm,
  leakyRelu,
  logSigmoid,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  mish,
  pdist,
  pixelShuffle,
  pixelUnshuffle,
  prelu,
  relu6,
  rmsNorm,
  rrelu,
  selu,
  sigmoid,
  softplus,
  softshrink,
  tanh,
  threshold,
} = torch;

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
