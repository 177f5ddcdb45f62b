/** Fractional max pooling (Graham 2014): windows at pseudo-random places, for sizes that a stride does not reach. */
import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

/** Options of fractional max pooling: one of outputSize and outputRatio is required. */
export interface FractionalPoolOptions {
  /** Default: from outputRatio. */
  outputSize?: Sizes;
  /** The size of the output in parts of the input's, between 0 and 1. */
  outputRatio?: Sizes;
  /** Places of the windows, [N, C, 2 or 3] from 0 to 1. Default: drawn from the default generator. */
  randomSamples?: Tensor | null;
}

const kinds: Kinds<FractionalPoolOptions> = { outputSize: 'any', outputRatio: 'any', randomSamples: 'any' };

function pool(dimensions: 2 | 3, x: Tensor, kernelSize: Sizes, options: FractionalPoolOptions): [Tensor, Tensor] {
  const { outputSize, outputRatio, randomSamples } = options;
  const size = sizesOf(kernelSize, dimensions, 'kernelSize');
  const batched = x.ndim === dimensions + 2 ? x : x.unsqueeze(0);
  const [n = 1, channels = 1, ...spatial] = batched.shape;
  const ratios = outputRatio === undefined ? [] : sizesOf(outputRatio, dimensions, 'outputRatio');
  const output =
    outputSize === undefined
      ? spatial.map((length, i) => Math.floor(length * (ratios[i] as number)))
      : sizesOf(outputSize, dimensions, 'outputSize');
  const samples = randomSamples ?? torch.rand([n, channels, dimensions], { dtype: x.dtype, device: x.device });
  const of = dimensions === 2 ? torch.fractionalMaxPool2d : torch.fractionalMaxPool3d;
  const [values, indices] = of(batched, size, output, samples);
  return batched === x ? [values, indices] : [values.squeeze(0), indices.squeeze(0)];
}

function checkSize(name: string, { outputSize, outputRatio }: FractionalPoolOptions): void {
  if ((outputSize === undefined) === (outputRatio === undefined))
    throw new ConfigError(`${name} needs either outputSize or outputRatio.`);
  const ratios = outputRatio === undefined ? [] : [outputRatio].flat();
  if (!ratios.every((ratio) => ratio > 0 && ratio < 1))
    throw new ConfigError(`${name}: outputRatio must be between 0 and 1, not ${ratios.join(', ')}.`);
}

const given = ['x: tensor', 'kernelSize: sizes'];

/** Largest value of each window: [N, C, H, W] -> [N, C, ...outputSize]. */
export function fractionalMaxPool2d(x: Tensor, kernelSize: Sizes, options: FractionalPoolOptions): Tensor {
  checkCall('fractionalMaxPool2d', given, kinds, arguments);
  checkSize('fractionalMaxPool2d', options ?? {});
  return pool(2, x, kernelSize, options)[0];
}

/** {@link fractionalMaxPool2d} with the flat positions of the values, as for `maxUnpool2d`. */
export function fractionalMaxPool2dWithIndices(
  x: Tensor,
  kernelSize: Sizes,
  options: FractionalPoolOptions,
): [Tensor, Tensor] {
  checkCall('fractionalMaxPool2dWithIndices', given, kinds, arguments);
  checkSize('fractionalMaxPool2dWithIndices', options ?? {});
  return pool(2, x, kernelSize, options);
}

/** Largest value of each window: [N, C, D, H, W] -> [N, C, ...outputSize]. */
export function fractionalMaxPool3d(x: Tensor, kernelSize: Sizes, options: FractionalPoolOptions): Tensor {
  checkCall('fractionalMaxPool3d', given, kinds, arguments);
  checkSize('fractionalMaxPool3d', options ?? {});
  return pool(3, x, kernelSize, options)[0];
}

/** {@link fractionalMaxPool3d} with the flat positions of the values, as for `maxUnpool3d`. */
export function fractionalMaxPool3dWithIndices(
  x: Tensor,
  kernelSize: Sizes,
  options: FractionalPoolOptions,
): [Tensor, Tensor] {
  checkCall('fractionalMaxPool3dWithIndices', given, kinds, arguments);
  checkSize('fractionalMaxPool3dWithIndices', options ?? {});
  return pool(3, x, kernelSize, options);
}

abstract class FractionalMaxPool extends Module {
  constructor(
    private readonly dimensions: 2 | 3,
    readonly kernelSize: Sizes,
    readonly options: FractionalPoolOptions,
  ) {
    super();
    checkSize(this.constructor.name, options ?? {});
  }

  forward(x: Tensor): Tensor {
    return pool(this.dimensions, x, this.kernelSize, this.options)[0];
  }
}

/** Module of `functional.fractionalMaxPool2d`. */
export class FractionalMaxPool2d extends FractionalMaxPool {
  constructor(kernelSize: Sizes, options: FractionalPoolOptions) {
    checkCall('new nn.FractionalMaxPool2d', ['kernelSize: sizes'], kinds, arguments);
    super(2, kernelSize, options);
  }
}

/** Module of `functional.fractionalMaxPool3d`. */
export class FractionalMaxPool3d extends FractionalMaxPool {
  constructor(kernelSize: Sizes, options: FractionalPoolOptions) {
    checkCall('new nn.FractionalMaxPool3d', ['kernelSize: sizes'], kinds, arguments);
    super(3, kernelSize, options);
  }
}
