import { checkCall, type Kinds } from '../call.js';
import { ShapeError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { checkGroups } from './conv.js';
import { resetWeightAndBias } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { type Sizes, sizesOf } from './sizes.js';

const transposeKinds: Kinds<ConvTransposeOptions> = {
  stride: 'any',
  padding: 'any',
  outputPadding: 'any',
  groups: 'number',
  bias: 'boolean',
  dilation: 'any',
};

/** Options of transposed convolutions, in any number of dimensions. */
export interface ConvTransposeOptions {
  /** Default 1. */
  stride?: Sizes;
  /** Padding of the convolution whose gradient this is. Default 0. */
  padding?: Sizes;
  /** Added to one side of the result, whose size is ambiguous for strides above 1. Default 0. */
  outputPadding?: Sizes;
  /** Default 1; channels must be multiples of it. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
  /** Default 1. */
  dilation?: Sizes;
}

/**
 * The gradient of a convolution with respect to its input, as a layer. Weight: [inChannels, outChannels / groups,
 * ...kernel].
 */
abstract class ConvTransposeNd extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly kernelSize: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly outputPadding: number[];
  readonly groups: number;
  readonly dilation: number[];

  constructor(
    dimensions: number,
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Sizes,
    { stride = 1, padding = 0, outputPadding = 0, groups = 1, bias = true, dilation = 1 }: ConvTransposeOptions = {},
  ) {
    super();
    checkGroups(inChannels, outChannels, groups);
    this.kernelSize = sizesOf(kernelSize, dimensions, 'kernelSize');
    this.stride = sizesOf(stride, dimensions, 'stride');
    this.padding = sizesOf(padding, dimensions, 'padding');
    this.outputPadding = sizesOf(outputPadding, dimensions, 'outputPadding');
    this.groups = groups;
    this.dilation = sizesOf(dilation, dimensions, 'dilation');
    this.weight = new Parameter(torch.empty([inChannels, outChannels / groups, ...this.kernelSize]));
    this.bias = bias ? new Parameter(torch.empty([outChannels])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }

  /** @param outputSize the spatial size of the result, instead of `outputPadding` */
  forward(x: Tensor, outputSize?: readonly number[]): Tensor {
    return this.convolve(x, outputSize ? this.paddingFor(x, outputSize) : this.outputPadding);
  }

  protected abstract convolve(x: Tensor, outputPadding: number[]): Tensor;

  private paddingFor(x: Tensor, outputSize: readonly number[]): number[] {
    checkCall('ConvTranspose.forward', ['outputSize: numbers'], undefined, [outputSize]);
    const sizes = x.shape.slice(-this.stride.length);
    return this.stride.map((stride, i) => {
      const [kernel, pad, dilation] = [this.kernelSize[i], this.padding[i], this.dilation[i]] as [
        number,
        number,
        number,
      ];
      const least = ((sizes[i] as number) - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1;
      const extra = (outputSize[i] ?? Number.NaN) - least;
      if (extra >= 0 && extra < Math.max(stride, dilation)) return extra;
      throw new ShapeError(
        `outputSize [${outputSize.join(', ')}] is not possible for input [${x.shape.join(', ')}]: dimension ${i} can be ${least} to ${least + stride - 1}.`,
      );
    });
  }
}

/** [N, inChannels, L] -> [N, outChannels, L']. */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    checkCall(
      'new nn.ConvTranspose1d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      transposeKinds,
      arguments,
    );
    super(1, inChannels, outChannels, kernelSize, options);
  }

  protected convolve(x: Tensor, extra: number[]): Tensor {
    const { weight, bias, stride, padding, groups, dilation } = this;
    return torch.convTranspose1d(x, weight, bias, stride, padding, extra, groups, dilation);
  }
}

/** [N, inChannels, H, W] -> [N, outChannels, H', W']. */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    checkCall(
      'new nn.ConvTranspose2d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      transposeKinds,
      arguments,
    );
    super(2, inChannels, outChannels, kernelSize, options);
  }

  protected convolve(x: Tensor, extra: number[]): Tensor {
    const { weight, bias, stride, padding, groups, dilation } = this;
    return torch.convTranspose2d(x, weight, bias, stride, padding, extra, groups, dilation);
  }
}

/** [N, inChannels, D, H, W] -> [N, outChannels, D', H', W']. */
export class ConvTranspose3d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    checkCall(
      'new nn.ConvTranspose3d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      transposeKinds,
      arguments,
    );
    super(3, inChannels, outChannels, kernelSize, options);
  }

  protected convolve(x: Tensor, extra: number[]): Tensor {
    const { weight, bias, stride, padding, groups, dilation } = this;
    return torch.convTranspose3d(x, weight, bias, stride, padding, extra, groups, dilation);
  }
}
