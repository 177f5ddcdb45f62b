import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

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

/** Mean 0 and variance 1 over the positions of each channel of each sample. */
abstract class InstanceNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  declare running_mean: Tensor;
  declare running_var: Tensor;
  declare num_batches_tracked: Tensor;
  readonly eps: number;
  readonly momentum: number;
  readonly trackRunningStats: boolean;

  constructor(
    readonly numFeatures: number,
    { eps = 1e-5, momentum = 0.1, affine = false, trackRunningStats = false }: InstanceNormOptions = {},
  ) {
    super();
    this.eps = eps;
    this.momentum = momentum;
    this.trackRunningStats = trackRunningStats;
    this.weight = affine ? new Parameter(torch.ones([numFeatures])) : null;
    this.bias = affine ? new Parameter(torch.zeros([numFeatures])) : null;
    if (trackRunningStats) {
      this.registerBuffer('running_mean', torch.zeros([numFeatures]));
      this.registerBuffer('running_var', torch.ones([numFeatures]));
      this.registerBuffer('num_batches_tracked', torch.zeros([], { dtype: 'int64' }));
    }
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
