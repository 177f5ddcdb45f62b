import { type Tensor, functions as torch } from '../tensor/index.js';
import { calculateFanInAndFanOut, kaimingUniform_, uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

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
    { bias = true }: LinearOptions = {},
  ) {
    super();
    this.weight = new Parameter(torch.empty([outFeatures, inFeatures]));
    this.bias = bias ? new Parameter(torch.empty([outFeatures])) : null;
    this.resetParameters();
  }

  /** PyTorch's default: uniform in +-1/sqrt(inFeatures). */
  resetParameters(): void {
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    if (this.bias) {
      const { fanIn } = calculateFanInAndFanOut(this.weight);
      const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
      uniform_(this.bias, -bound, bound);
    }
  }

  forward(x: Tensor): Tensor {
    return torch.linear(x, this.weight, this.bias);
  }
}
