import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { areGradientsAside, conv2dAside } from './aside.js';
import { conv3x3, fastConvolutionsOn } from './fast-conv.js';
import { inUse } from './half-weights.js';
import { resetWeightAndBias } from './init.js';
import { Module } from './module.js';
import { type PaddingMode, pad } from './pad.js';
import { Parameter } from './parameter.js';
import { type Pair, type Sizes, sizesOf } from './sizes.js';

const convKinds: Kinds<ConvOptions> = {
  stride: 'any',
  padding: 'any',
  dilation: 'any',
  groups: 'number',
  bias: 'boolean',
  paddingMode: ['zeros', 'reflect', 'replicate', 'circular'],
};

/** Options of convolutions, in any number of dimensions. */
export interface ConvOptions<Size extends Sizes = Sizes> {
  /** Default 1. */
  stride?: Size;
  /** Padding around the input; `same` keeps its size (stride 1 only), `valid` means none. Default 0. */
  padding?: Size | 'same' | 'valid';
  /** How the padding is filled. Default `zeros`. */
  paddingMode?: 'zeros' | Exclude<PaddingMode, 'constant'>;
  /** Default 1. */
  dilation?: Size;
  /** Default 1; channels must be multiples of it. */
  groups?: number;
  /** Default true. */
  bias?: boolean;
}
/** Options of {@link Conv2d}. */
export type Conv2dOptions = ConvOptions<Pair>;

/** Throws ConfigError if channels are not multiples of `groups`. */
export function checkGroups(inChannels: number, outChannels: number, groups: number): void {
  if (!(Number.isInteger(groups) && groups > 0 && inChannels % groups === 0 && outChannels % groups === 0))
    throw new ConfigError(
      `inChannels ${inChannels} and outChannels ${outChannels} must be multiples of groups ${groups}.`,
    );
}

/** Convolution over `dimensions` spatial dimensions. */
abstract class ConvNd extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly stride: number[];
  readonly padding: number[] | 'same' | 'valid';
  readonly paddingMode: 'zeros' | Exclude<PaddingMode, 'constant'>;
  readonly dilation: number[];
  readonly groups: number;
  /** Padding before and after each dimension, the last one first, as for pad(). */
  readonly #around: number[];

  constructor(
    dimensions: number,
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: Sizes,
    { stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true }: ConvOptions = {},
  ) {
    super();
    checkGroups(inChannels, outChannels, groups);
    const kernel = sizesOf(kernelSize, dimensions, 'kernelSize');
    this.stride = sizesOf(stride, dimensions, 'stride');
    this.padding = typeof padding === 'string' ? padding : sizesOf(padding, dimensions, 'padding');
    this.paddingMode = paddingMode;
    this.dilation = sizesOf(dilation, dimensions, 'dilation');
    this.groups = groups;
    if (padding === 'same' && this.stride.some((step) => step !== 1))
      throw new ConfigError("padding 'same' needs stride 1.");
    this.#around = kernel.flatMap((size, i) => this.around(size, i)).reverse();
    this.weight = new Parameter(torch.empty([outChannels, inChannels / groups, ...kernel]));
    this.bias = bias ? new Parameter(torch.empty([outChannels])) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    resetWeightAndBias(this.weight, this.bias);
  }

  /** Padding after and before dimension `i`. */
  private around(size: number, i: number): [after: number, before: number] {
    if (this.padding === 'valid') return [0, 0];
    if (this.padding !== 'same') return [this.padding[i] as number, this.padding[i] as number];
    const total = (this.dilation[i] as number) * (size - 1);
    return [total - Math.floor(total / 2), Math.floor(total / 2)];
  }

  forward(x: Tensor): Tensor {
    if (this.paddingMode === 'zeros') return this.convolve(x, this.padding);
    return this.convolve(pad(x, this.#around, { mode: this.paddingMode }), new Array(this.stride.length).fill(0));
  }

  protected abstract convolve(x: Tensor, padding: number[] | 'same' | 'valid'): Tensor;
}

/** 1-d convolution: [N, inChannels, L] -> [N, outChannels, L']. */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    checkCall(
      'new nn.Conv1d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      convKinds,
      arguments,
    );
    super(1, inChannels, outChannels, kernelSize, options);
  }

  protected convolve(x: Tensor, padding: number[] | string): Tensor {
    return torch.conv1d(
      x,
      inUse(this.weight),
      inUse(this.bias),
      this.stride,
      padding as number[],
      this.dilation,
      this.groups,
    );
  }
}

/** 2-d convolution: [N, inChannels, H, W] -> [N, outChannels, H', W']. */
export class Conv2d extends ConvNd {
  /** Whether {@link fastConvolutions} supports this layer. */
  readonly #canBeFast: boolean;

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dOptions = {}) {
    checkCall(
      'new nn.Conv2d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      convKinds,
      arguments,
    );
    super(2, inChannels, outChannels, kernelSize, options);
    const { stride, padding, dilation, groups, paddingMode } = this;
    const sizes = [...this.weight.shape.slice(2), ...stride, ...padding, ...dilation, groups];
    this.#canBeFast = paddingMode === 'zeros' && sizes.join() === '3,3,1,1,1,1,1,1,1';
  }

  protected convolve(x: Tensor, padding: number[] | string): Tensor {
    if (this.#canBeFast && fastConvolutionsOn()) return conv3x3(x, this.weight, this.bias);
    if (areGradientsAside() && typeof padding !== 'string')
      return conv2dAside(x, this.weight, this.bias, this.stride, padding, this.dilation, this.groups);
    return torch.conv2d(
      x,
      inUse(this.weight),
      inUse(this.bias),
      this.stride,
      padding as number[],
      this.dilation,
      this.groups,
    );
  }
}

/** 3-d convolution: [N, inChannels, D, H, W] -> [N, outChannels, D', H', W']. */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions = {}) {
    checkCall(
      'new nn.Conv3d',
      ['inChannels: number', 'outChannels: number', 'kernelSize: sizes'],
      convKinds,
      arguments,
    );
    super(3, inChannels, outChannels, kernelSize, options);
  }

  protected convolve(x: Tensor, padding: number[] | string): Tensor {
    return torch.conv3d(
      x,
      inUse(this.weight),
      inUse(this.bias),
      this.stride,
      padding as number[],
      this.dilation,
      this.groups,
    );
  }
}
