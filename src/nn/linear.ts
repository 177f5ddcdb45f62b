import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { inUse } from './half-weights.js';
import { resetWeightAndBias } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const linearKinds: Kinds<LinearOptions> = { bias: 'boolean' };

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
}

/** y = x W^T + b: [..., inFeatures] -> [..., outFeatures]. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    checkCall('new nn.Linear', ['inFeatures: number', 'outFeatures: number'], linearKinds, arguments);
    const { bias = true } = options;
    super();
    this.weight = new Parameter(torch.empty([outFeatures, inFeatures]));
    this.bias = bias ? new Parameter(torch.empty([outFeatures])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }

  forward(x: Tensor): Tensor {
    return torch.linear(x, inUse(this.weight), inUse(this.bias));
  }
}
