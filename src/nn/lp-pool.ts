/** Power-average pooling: (sum of x^p over a window)^(1/p). */
import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

/** Options of {@link LPPool2d} and its relatives. */
export interface LPPoolOptions {
  /** Default: the kernel's size. */
  stride?: Sizes;
  /** Includes windows that begin inside the input and end outside. Default false. */
  ceilMode?: boolean;
}

const kinds: Kinds<LPPoolOptions> = { stride: 'any', ceilMode: 'boolean' };
const given = ['x: tensor', 'normType: number', 'kernelSize: sizes'];

const windows = {
  1: { mean: torch.avgPool1d, max: torch.maxPool1d },
  2: { mean: torch.avgPool2d, max: torch.maxPool2d },
  3: { mean: torch.avgPool3d, max: torch.maxPool3d },
} as const;
type Dimensions = keyof typeof windows;

function lpPool(dimensions: Dimensions, x: Tensor, p: number, kernelSize: Sizes, options: LPPoolOptions): Tensor {
  const size = sizesOf(kernelSize, dimensions, 'kernelSize');
  const stride = sizesOf(options.stride ?? kernelSize, dimensions, 'stride');
  const { mean, max } = windows[dimensions];
  const [none, one] = [size.map(() => 0), size.map(() => 1)];
  const { ceilMode = false } = options;
  if (p === Number.POSITIVE_INFINITY) return max(x.abs(), size, stride, none, one, ceilMode);
  if (p === Number.NEGATIVE_INFINITY) return max(x.abs().neg(), size, stride, none, one, ceilMode).neg();
  const means = mean(x.pow(p), size, stride, none, ceilMode);
  // As in PyTorch, and so that the gradient is zero where the sum is.
  const elements = size.reduce((product, one) => product * one, 1);
  return means
    .sign()
    .mul(means.abs().relu())
    .mul(elements)
    .pow(1 / p);
}

/** (sum of x^p)^(1/p) of each window, p = `normType`: [N, C, L] -> [N, C, L']. */
export function lpPool1d(x: Tensor, normType: number, kernelSize: Sizes, options: LPPoolOptions = {}): Tensor {
  checkCall('lpPool1d', given, kinds, arguments);
  return lpPool(1, x, normType, kernelSize, options);
}

/** (sum of x^p)^(1/p) of each window, p = `normType`: [N, C, H, W] -> [N, C, H', W']. */
export function lpPool2d(x: Tensor, normType: number, kernelSize: Sizes, options: LPPoolOptions = {}): Tensor {
  checkCall('lpPool2d', given, kinds, arguments);
  return lpPool(2, x, normType, kernelSize, options);
}

/** (sum of x^p)^(1/p) of each window, p = `normType`: [N, C, D, H, W] -> [N, C, D', H', W']. */
export function lpPool3d(x: Tensor, normType: number, kernelSize: Sizes, options: LPPoolOptions = {}): Tensor {
  checkCall('lpPool3d', given, kinds, arguments);
  return lpPool(3, x, normType, kernelSize, options);
}

abstract class LPPool extends Module {
  constructor(
    private readonly dimensions: Dimensions,
    readonly normType: number,
    readonly kernelSize: Sizes,
    readonly options: LPPoolOptions,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return lpPool(this.dimensions, x, this.normType, this.kernelSize, this.options);
  }
}

const sizes = ['normType: number', 'kernelSize: sizes'];

/** Module of `functional.lpPool1d`. */
export class LPPool1d extends LPPool {
  constructor(normType: number, kernelSize: Sizes, options: LPPoolOptions = {}) {
    checkCall('new nn.LPPool1d', sizes, kinds, arguments);
    super(1, normType, kernelSize, options);
  }
}

/** Module of `functional.lpPool2d`. */
export class LPPool2d extends LPPool {
  constructor(normType: number, kernelSize: Sizes, options: LPPoolOptions = {}) {
    checkCall('new nn.LPPool2d', sizes, kinds, arguments);
    super(2, normType, kernelSize, options);
  }
}

/** Module of `functional.lpPool3d`. */
export class LPPool3d extends LPPool {
  constructor(normType: number, kernelSize: Sizes, options: LPPoolOptions = {}) {
    checkCall('new nn.LPPool3d', sizes, kinds, arguments);
    super(3, normType, kernelSize, options);
  }
}
