import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

/** y = x1^T A x2 + b: [..., in1Features] and [..., in2Features] -> [..., outFeatures]. */
export class Bilinear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    options: { /** Default true. */ bias?: boolean } = {},
  ) {
    const sizes = ['in1Features: number', 'in2Features: number', 'outFeatures: number'];
    checkCall('new nn.Bilinear', sizes, { bias: 'boolean' }, arguments);
    super();
    this.weight = new Parameter(torch.empty([outFeatures, in1Features, in2Features]));
    this.bias = (options.bias ?? true) ? new Parameter(torch.empty([outFeatures])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    checkCall('Bilinear.forward', ['x1: tensor', 'x2: tensor'], undefined, arguments);
    return torch.bilinear(x1, x2, this.weight, this.bias);
  }
}
