/** The inverse of maximum pooling: values return to their positions, and the rest is zero. */
import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

/** Options of {@link maxUnpool1d} and its relatives. */
export interface MaxUnpoolOptions {
  /** Default: the kernel's size. */
  stride?: Sizes;
  /** Default 0. */
  padding?: Sizes;
  /** Sizes of the result, with or without batch and channels. Default: the smallest possible input of the pooling. */
  outputSize?: readonly number[];
}

const kinds: Kinds<MaxUnpoolOptions> = { stride: 'any', padding: 'any', outputSize: 'any' };

/** [N, C, L] and the positions that torch.maxPool1dWithIndices returned -> [N, C, L']. */
export function maxUnpool1d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  checkCall('maxUnpool1d', ['x: tensor', 'indices: tensor', 'kernelSize: sizes'], kinds, arguments);
  const [length = 0] = sizeOf(x, 1, kernelSize, options);
  return torch.maxUnpool2d(x.unsqueeze(-1), indices.unsqueeze(-1), [length, 1]).squeeze(-1);
}

/** [N, C, H, W] and the positions that torch.maxPool2dWithIndices returned -> [N, C, H', W']. */
export function maxUnpool2d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  checkCall('maxUnpool2d', ['x: tensor', 'indices: tensor', 'kernelSize: sizes'], kinds, arguments);
  return torch.maxUnpool2d(x, indices, sizeOf(x, 2, kernelSize, options));
}

/** [N, C, D, H, W] and the positions that torch.maxPool3dWithIndices returned -> [N, C, D', H', W']. */
export function maxUnpool3d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  checkCall('maxUnpool3d', ['x: tensor', 'indices: tensor', 'kernelSize: sizes'], kinds, arguments);
  const { stride = kernelSize, padding = 0 } = options;
  const size = sizeOf(x, 3, kernelSize, options);
  return torch.maxUnpool3d(x, indices, size, sizesOf(stride, 3, 'stride'), sizesOf(padding, 3, 'padding'));
}

function sizeOf(x: Tensor, dimensions: number, kernelSize: Sizes, options: MaxUnpoolOptions): number[] {
  const { stride = kernelSize, padding = 0, outputSize } = options;
  const [kernel, step, pad] = [
    sizesOf(kernelSize, dimensions, 'kernelSize'),
    sizesOf(stride, dimensions, 'stride'),
    sizesOf(padding, dimensions, 'padding'),
  ];
  const usual = x.shape
    .slice(-dimensions)
    .map((size, i) => (size - 1) * (step[i] as number) + (kernel[i] as number) - 2 * (pad[i] as number));
  if (!outputSize) return usual;
  if (outputSize.length !== dimensions && outputSize.length !== dimensions + 2)
    throw new ArgumentError(`outputSize has ${dimensions} or ${dimensions + 2} sizes, not [${outputSize.join(', ')}].`);
  const size = outputSize.slice(-dimensions);
  const wrong = size.findIndex((value, i) => Math.abs(value - (usual[i] as number)) >= (step[i] as number));
  if (wrong >= 0)
    throw new ShapeError(
      `outputSize [${outputSize.join(', ')}]: pooling with stride ${step[wrong]} makes ${x.shape.at(wrong - dimensions)} ` +
        `of ${usual[wrong]} and less than ${step[wrong]} more or fewer, not of ${size[wrong]}.`,
    );
  return size;
}

abstract class MaxUnpool extends Module {
  constructor(
    readonly kernelSize: Sizes,
    readonly options: Omit<MaxUnpoolOptions, 'outputSize'> = {},
  ) {
    checkCall(`new nn.${new.target.name}`, ['kernelSize'], { stride: 'any', padding: 'any' }, arguments);
    super();
  }

  protected with(outputSize: readonly number[] | undefined): MaxUnpoolOptions {
    return outputSize ? { ...this.options, outputSize } : this.options;
  }
}

/** Module of `functional.maxUnpool1d`. */
export class MaxUnpool1d extends MaxUnpool {
  override forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool1d(x, indices, this.kernelSize, this.with(outputSize));
  }
}

/** Module of `functional.maxUnpool2d`. */
export class MaxUnpool2d extends MaxUnpool {
  override forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool2d(x, indices, this.kernelSize, this.with(outputSize));
  }
}

/** Module of `functional.maxUnpool3d`. */
export class MaxUnpool3d extends MaxUnpool {
  override forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool3d(x, indices, this.kernelSize, this.with(outputSize));
  }
}
