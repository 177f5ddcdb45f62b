import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

/** Options of {@link LocalResponseNorm}. */
export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  alpha?: number;
  /** Default 0.75. */
  beta?: number;
  /** Default 1. */
  k?: number;
}

const kinds: Kinds<LocalResponseNormOptions> = { alpha: 'number', beta: 'number', k: 'number' };

/** Divides by (k + alpha * mean square over `size` neighboring channels)^beta: [N, C, ...]. */
export function localResponseNorm(x: Tensor, size: number, options: LocalResponseNormOptions = {}): Tensor {
  checkCall('localResponseNorm', ['x: tensor', 'size: number'], kinds, arguments);
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  // Channels as the length of a 1-d pooling: [N, C, ...] -> [N * ..., 1, C] and back.
  const [n = 1, c = 1, ...rest] = x.shape;
  const before = Math.floor(size / 2);
  const channelsLast = x.square().reshape([n, c, -1]).transpose(1, 2).reshape([-1, 1, c]);
  const padded = torch.pad(channelsLast, [before, size - 1 - before]);
  const square = torch
    .avgPool1d(padded, size, 1)
    .reshape([n, -1, c])
    .transpose(1, 2)
    .reshape([n, c, ...rest]);
  return x.div(square.mul(alpha).add(k).pow(beta));
}

/** Module of `functional.localResponseNorm`. */
export class LocalResponseNorm extends Module {
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(
    readonly size: number,
    options: LocalResponseNormOptions = {},
  ) {
    checkCall('new nn.LocalResponseNorm', ['size: number'], kinds, arguments);
    super();
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  forward(x: Tensor): Tensor {
    const { alpha, beta, k } = this;
    return localResponseNorm(x, this.size, { alpha, beta, k });
  }
}
