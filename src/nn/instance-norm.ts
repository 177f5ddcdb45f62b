import { type Tensor, functions as torch } from '../tensor/index.js';
import { RunningNorm } from './running-norm.js';

/** Options of instance normalization, in any number of dimensions. */
export interface InstanceNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Weight of the new batch in the running statistics. Default 0.1. */
  momentum?: number;
  /** Trains weight and bias. Default false. */
  affine?: boolean;
  /** Keeps running statistics and uses them in evaluation mode. Default false. */
  trackRunningStats?: boolean;
}

const defaults = { eps: 1e-5, momentum: 0.1, affine: false, trackRunningStats: false };

/** Mean 0 and variance 1 over the positions of each channel of each sample. */
abstract class InstanceNorm extends RunningNorm {
  declare readonly momentum: number;

  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    super(numFeatures, { ...defaults, ...options });
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, momentum, eps, trackRunningStats: track } = this;
    const [mean, variance] = track ? [this.running_mean, this.running_var] : [null, null];
    return torch.instanceNorm(x, weight, bias, mean, variance, this.training || !track, momentum, eps, true);
  }
}

/** [N, C, L]. */
export class InstanceNorm1d extends InstanceNorm {}

/** [N, C, H, W]. */
export class InstanceNorm2d extends InstanceNorm {}

/** [N, C, D, H, W]. */
export class InstanceNorm3d extends InstanceNorm {}
