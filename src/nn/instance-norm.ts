import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { RunningNorm } from './running-norm.js';
import { needDimensions, needSeveralPositions } from './statistics.js';

const normKinds: Kinds<InstanceNormOptions> = {
  eps: 'number',
  momentum: 'number',
  affine: 'boolean',
  trackRunningStats: 'boolean',
};

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

/**
 * Normalizes each channel of each sample to mean 0 and variance 1 over its positions; N may be omitted. Throws
 * ShapeError if a channel has one position.
 */
abstract class InstanceNorm extends RunningNorm {
  declare readonly momentum: number;
  protected abstract readonly spatial: number;

  constructor(numFeatures: number, options: InstanceNormOptions = {}) {
    checkCall(`new nn.${new.target.name}`, ['numFeatures: number'], normKinds, arguments);
    super(numFeatures, { ...defaults, ...options });
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, momentum, eps, trackRunningStats: track, spatial } = this;
    const { shape } = x;
    needDimensions(shape, [spatial + 1, spatial + 2]);
    if (shape.length === spatial + 1) return this.forward(x.unsqueeze(0)).squeeze(0);
    if (this.training || !track) needSeveralPositions(shape);
    const [mean, variance] = track ? [this.running_mean, this.running_var] : [null, null];
    return torch.instanceNorm(x, weight, bias, mean, variance, this.training || !track, momentum, eps, true);
  }
}

/** [N, C, L]. */
export class InstanceNorm1d extends InstanceNorm {
  protected get spatial(): number {
    return 1;
  }
}

/** [N, C, H, W]. */
export class InstanceNorm2d extends InstanceNorm {
  protected get spatial(): number {
    return 2;
  }
}

/** [N, C, D, H, W]. */
export class InstanceNorm3d extends InstanceNorm {
  protected get spatial(): number {
    return 3;
  }
}
