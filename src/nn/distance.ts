/** Distances between vectors. */
import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

/** Options of {@link pairwiseDistance}. */
export interface PairwiseDistanceOptions {
  /** The norm. Default 2. */
  p?: number;
  /** Added to the difference. Default 1e-6. */
  eps?: number;
  /** Default false. */
  keepdim?: boolean;
}

const pairwiseKinds: Kinds<PairwiseDistanceOptions> = { p: 'number', eps: 'number', keepdim: 'boolean' };
const cosineKinds = { dim: 'number', eps: 'number' } as const;

/** The p-norm of a - b + eps along the last dimension. */
export function pairwiseDistance(a: Tensor, b: Tensor, options: PairwiseDistanceOptions = {}): Tensor {
  checkCall('pairwiseDistance', ['a: tensor', 'b: tensor'], pairwiseKinds, arguments);
  const { p = 2, eps = 1e-6, keepdim = false } = options;
  return torch.pairwiseDistance(a, b, p, eps, keepdim);
}

/** Cosine of the angle between vectors along `dim`. */
export function cosineSimilarity(a: Tensor, b: Tensor, options: { dim?: number; eps?: number } = {}): Tensor {
  checkCall('cosineSimilarity', ['a: tensor', 'b: tensor'], cosineKinds, arguments);
  const { dim = 1, eps = 1e-8 } = options;
  return torch.cosineSimilarity(a, b, dim, eps);
}

/** Module of `functional.pairwiseDistance`. */
export class PairwiseDistance extends Module {
  constructor(readonly options: PairwiseDistanceOptions = {}) {
    checkCall('new nn.PairwiseDistance', [], pairwiseKinds, arguments);
    super();
  }

  override forward(a: Tensor, b: Tensor): Tensor {
    return pairwiseDistance(a, b, this.options);
  }
}

/** Module of `functional.cosineSimilarity`. */
export class CosineSimilarity extends Module {
  constructor(readonly options: { dim?: number; eps?: number } = {}) {
    checkCall('new nn.CosineSimilarity', [], cosineKinds, arguments);
    super();
  }

  override forward(a: Tensor, b: Tensor): Tensor {
    return cosineSimilarity(a, b, this.options);
  }
}
