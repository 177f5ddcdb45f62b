/** Normalizations that are independent of other samples. */
import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { ones_, zeros_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { needSeveralInGroup } from './statistics.js';

const layerKinds: Kinds<LayerNormOptions> = { eps: 'number', elementwiseAffine: 'boolean', bias: 'boolean' };
const rmsKinds: Kinds<RMSNormOptions> = { eps: 'number?', elementwiseAffine: 'boolean' };
const groupKinds: Kinds<GroupNormOptions> = { eps: 'number', affine: 'boolean' };

/** Holds a scale and a shift. */
abstract class Affine extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;

  constructor(shape: number[], affine: boolean, bias: boolean) {
    super();
    this.weight = affine ? new Parameter(torch.ones(shape)) : null;
    this.bias = affine && bias ? new Parameter(torch.zeros(shape)) : null;
  }

  resetParameters(): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }
}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Trains weight and bias. Default true. */
  elementwiseAffine?: boolean;
  /** Default true. */
  bias?: boolean;
}

/** Normalizes to mean 0 and variance 1 over the last dimensions, which have sizes `normalizedShape`. */
export class LayerNorm extends Affine {
  readonly normalizedShape: number[];
  readonly eps: number;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    checkCall('new nn.LayerNorm', ['normalizedShape: sizes'], layerKinds, arguments);
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    super(shape, elementwiseAffine, bias);
    this.normalizedShape = shape;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return torch.layerNorm(x, this.normalizedShape, this.weight, this.bias, this.eps);
  }
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** Added to the mean square; null for the dtype's epsilon. Default null. */
  eps?: number | null;
  /** Trains a weight. Default true. */
  elementwiseAffine?: boolean;
}

/** Normalizes to root mean square 1 over the last dimensions. */
export class RMSNorm extends Affine {
  readonly normalizedShape: number[];
  readonly eps: number | null;

  constructor(normalizedShape: number | readonly number[], options: RMSNormOptions = {}) {
    checkCall('new nn.RMSNorm', ['normalizedShape: sizes'], rmsKinds, arguments);
    const { eps = null, elementwiseAffine = true } = options;
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    super(shape, elementwiseAffine, false);
    this.normalizedShape = shape;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return torch.rmsNorm(x, this.normalizedShape, this.weight, this.eps);
  }
}

/** Options of {@link GroupNorm}. */
export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Trains weight and bias. Default true. */
  affine?: boolean;
}

/**
 * Normalizes each group of channels of a sample to mean 0 and variance 1: [N, C, ...]. Throws ShapeError if a group is
 * one value and N is 1.
 */
export class GroupNorm extends Affine {
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormOptions = {},
  ) {
    checkCall('new nn.GroupNorm', ['numGroups: number', 'numChannels: number'], groupKinds, arguments);
    const { eps = 1e-5, affine = true } = options;
    if (numChannels % numGroups !== 0)
      throw new ConfigError(`numChannels ${numChannels} must be a multiple of numGroups ${numGroups}.`);
    super([numChannels], affine, true);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    needSeveralInGroup(x.shape, this.numGroups);
    return torch.groupNorm(x, this.numGroups, this.weight, this.bias, this.eps);
  }
}
