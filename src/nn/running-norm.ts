import { noGrad, type Tensor, functions as torch } from '../tensor/index.js';
import { ones_, zeros_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

export interface RunningNormOptions {
  eps: number;
  momentum: number | null;
  affine: boolean;
  trackRunningStats: boolean;
}

/** Scale and shift of each channel, and its running statistics. */
export abstract class RunningNorm extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  declare running_mean: Tensor;
  declare running_var: Tensor;
  declare num_batches_tracked: Tensor;
  readonly eps: number;
  readonly momentum: number | null;
  readonly trackRunningStats: boolean;

  constructor(
    readonly numFeatures: number,
    { eps, momentum, affine, trackRunningStats }: RunningNormOptions,
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

  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
    if (this.trackRunningStats) {
      zeros_(this.running_mean);
      ones_(this.running_var);
      noGrad(() => this.num_batches_tracked.zero_());
    }
  }
}
