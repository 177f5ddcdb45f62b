import { checkCall, type Kinds } from '../call.js';
import { callOverload, overloadOf, type Tensor, functions as torch } from '../tensor/index.js';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './adaptive-pool.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

const maxKinds: Kinds<MaxPoolOptions> = { stride: 'any', padding: 'any', dilation: 'any', ceilMode: 'boolean' };
const avgKinds: Kinds<AvgPoolOptions> = {
  stride: 'any',
  padding: 'any',
  ceilMode: 'boolean',
  countIncludePad: 'boolean',
};

/** Options of all sliding windows. */
export interface PoolOptions<Size extends Sizes = Sizes> {
  /** Default: the kernel's size. */
  stride?: Size;
  /** Default 0. */
  padding?: Size;
  /** Includes windows that begin inside the input and end outside. Default false. */
  ceilMode?: boolean;
}
/** Options of maximum pooling. */
export interface MaxPoolOptions<Size extends Sizes = Sizes> extends PoolOptions<Size> {
  /** Default 1. */
  dilation?: Size;
}
/** Options of average pooling. */
export interface AvgPoolOptions<Size extends Sizes = Sizes> extends PoolOptions<Size> {
  /** Includes the padding's zeros in the mean. Default true. */
  countIncludePad?: boolean;
}

/** Slides a window over the last `dimensions` dimensions. */
abstract class WindowPool extends Module {
  readonly kernelSize: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly ceilMode: boolean;

  constructor(
    dimensions: number,
    kernelSize: Sizes,
    { stride = kernelSize, padding = 0, ceilMode = false }: PoolOptions,
  ) {
    super();
    this.kernelSize = sizesOf(kernelSize, dimensions, 'kernelSize');
    this.stride = sizesOf(stride, dimensions, 'stride');
    this.padding = sizesOf(padding, dimensions, 'padding');
    this.ceilMode = ceilMode;
  }
}

abstract class MaxPool extends WindowPool {
  readonly dilation: number[];

  constructor(dimensions: number, kernelSize: Sizes, options: MaxPoolOptions) {
    super(dimensions, kernelSize, options);
    this.dilation = sizesOf(options.dilation ?? 1, dimensions, 'dilation');
  }
}

abstract class AvgPool extends WindowPool {
  readonly countIncludePad: boolean;

  constructor(dimensions: number, kernelSize: Sizes, options: AvgPoolOptions) {
    super(dimensions, kernelSize, options);
    this.countIncludePad = options.countIncludePad ?? true;
  }
}

/** Largest value of each window: [N, C, L] -> [N, C, L']. */
export class MaxPool1d extends MaxPool {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    checkCall('new nn.MaxPool1d', ['kernelSize: sizes'], maxKinds, arguments);
    super(1, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return torch.maxPool1d(x, this.kernelSize, this.stride, this.padding, this.dilation, this.ceilMode);
  }
}

/** Largest value of each window: [N, C, H, W] -> [N, C, H', W']. */
export class MaxPool2d extends MaxPool {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    checkCall('new nn.MaxPool2d', ['kernelSize: sizes'], maxKinds, arguments);
    super(2, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    if (x.device === 'cpu') return torch.maxPool2d(x, kernelSize, stride, padding, dilation, ceilMode);
    const values = [x, kernelSize, stride, padding, dilation, ceilMode];
    return callOverload(overloadOf('srrl::max_pool2d'), values) as Tensor;
  }
}

/** Largest value of each window: [N, C, D, H, W] -> [N, C, D', H', W']. */
export class MaxPool3d extends MaxPool {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    checkCall('new nn.MaxPool3d', ['kernelSize: sizes'], maxKinds, arguments);
    super(3, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return torch.maxPool3d(x, this.kernelSize, this.stride, this.padding, this.dilation, this.ceilMode);
  }
}

/** Mean of each window: [N, C, L] -> [N, C, L']. */
export class AvgPool1d extends AvgPool {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    checkCall('new nn.AvgPool1d', ['kernelSize: sizes'], avgKinds, arguments);
    super(1, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return torch.avgPool1d(x, this.kernelSize, this.stride, this.padding, this.ceilMode, this.countIncludePad);
  }
}

/** Mean of each window: [N, C, H, W] -> [N, C, H', W']. */
export class AvgPool2d extends AvgPool {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    checkCall('new nn.AvgPool2d', ['kernelSize: sizes'], avgKinds, arguments);
    super(2, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return torch.avgPool2d(x, this.kernelSize, this.stride, this.padding, this.ceilMode, this.countIncludePad);
  }
}

/** Mean of each window: [N, C, D, H, W] -> [N, C, D', H', W']. */
export class AvgPool3d extends AvgPool {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    checkCall('new nn.AvgPool3d', ['kernelSize: sizes'], avgKinds, arguments);
    super(3, kernelSize, options);
  }

  forward(x: Tensor): Tensor {
    return torch.avgPool3d(x, this.kernelSize, this.stride, this.padding, this.ceilMode, this.countIncludePad);
  }
}

/** Pooling whose window size follows from the output size; null keeps a dimension. */
abstract class AdaptivePool extends Module {
  constructor(
    private readonly dimensions: number,
    readonly outputSize: number | null | readonly (number | null)[],
  ) {
    super();
  }

  protected sizeFor(x: Tensor): number[] {
    const { outputSize, dimensions } = this;
    const wanted = Array.isArray(outputSize) ? outputSize : new Array(dimensions).fill(outputSize);
    return wanted.map((size: number | null, i) => size ?? (x.shape.at(i - dimensions) as number));
  }
}

/** [N, C, L] -> [N, C, outputSize]. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  constructor(outputSize: number | readonly number[]) {
    checkCall('new nn.AdaptiveAvgPool1d', ['outputSize'], undefined, arguments);
    super(1, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** [N, C, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  constructor(outputSize: number | null | readonly (number | null)[]) {
    checkCall('new nn.AdaptiveAvgPool2d', ['outputSize'], undefined, arguments);
    super(2, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** [N, C, D, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveAvgPool3d extends AdaptivePool {
  constructor(outputSize: number | null | readonly (number | null)[]) {
    checkCall('new nn.AdaptiveAvgPool3d', ['outputSize'], undefined, arguments);
    super(3, outputSize);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool3d(x, this.outputSize);
  }
}

/** [N, C, L] -> [N, C, outputSize]. */
export class AdaptiveMaxPool1d extends AdaptivePool {
  constructor(outputSize: number | readonly number[]) {
    checkCall('new nn.AdaptiveMaxPool1d', ['outputSize'], undefined, arguments);
    super(1, outputSize);
  }

  forward(x: Tensor): Tensor {
    return torch.adaptiveMaxPool1d(x, this.sizeFor(x))[0];
  }
}

/** [N, C, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveMaxPool2d extends AdaptivePool {
  constructor(outputSize: number | null | readonly (number | null)[]) {
    checkCall('new nn.AdaptiveMaxPool2d', ['outputSize'], undefined, arguments);
    super(2, outputSize);
  }

  forward(x: Tensor): Tensor {
    return torch.adaptiveMaxPool2d(x, this.sizeFor(x))[0];
  }
}

/** [N, C, D, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveMaxPool3d extends AdaptivePool {
  constructor(outputSize: number | null | readonly (number | null)[]) {
    checkCall('new nn.AdaptiveMaxPool3d', ['outputSize'], undefined, arguments);
    super(3, outputSize);
  }

  forward(x: Tensor): Tensor {
    return torch.adaptiveMaxPool3d(x, this.sizeFor(x))[0];
  }
}
