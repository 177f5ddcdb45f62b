/** Sampling of images at given points, and sliding windows as columns. */
import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

const modes = ['bilinear', 'nearest', 'bicubic'] as const;
const paddingModes = ['zeros', 'border', 'reflection'] as const;

/** Options of {@link gridSample}. */
export interface GridSampleOptions {
  /** Interpolation between pixels. Default `bilinear`. */
  mode?: (typeof modes)[number];
  /** Values outside of the image. Default `zeros`. */
  paddingMode?: (typeof paddingModes)[number];
  /** Whether -1 and 1 are the centers of the outermost pixels instead of their edges. Default false. */
  alignCorners?: boolean;
}

const gridKinds: Kinds<GridSampleOptions> = { mode: modes, paddingMode: paddingModes, alignCorners: 'boolean' };

/**
 * Samples [N, C, H, W] at a grid [N, H', W', 2] of (x, y) in -1..1 -> [N, C, H', W']; likewise [N, C, D, H, W] at
 * [N, D', H', W', 3]. As torch.nn.functional.grid_sample.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  checkCall('gridSample', ['x: tensor', 'grid: tensor'], gridKinds, arguments);
  const { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false } = options;
  return torch.gridSampler(x, grid, modes.indexOf(mode), paddingModes.indexOf(paddingMode), alignCorners);
}

/** The grid of an affine map: theta [N, 2, 3] and [N, C, H, W] -> [N, H, W, 2]; [N, 3, 4] for volumes. */
export function affineGrid(theta: Tensor, size: readonly number[], options: { alignCorners?: boolean } = {}): Tensor {
  checkCall('affineGrid', ['theta: tensor', 'size: numbers'], { alignCorners: 'boolean' }, arguments);
  return torch.affineGridGenerator(theta, [...size], options.alignCorners ?? false);
}

/** Options of {@link Fold} and {@link Unfold}. */
export interface FoldOptions {
  /** Default 1. */
  dilation?: Sizes;
  /** Default 0. */
  padding?: Sizes;
  /** Default 1. */
  stride?: Sizes;
}

const foldKinds: Kinds<FoldOptions> = { dilation: 'any', padding: 'any', stride: 'any' };

const pairsOf = ({ dilation = 1, padding = 0, stride = 1 }: FoldOptions): [number[], number[], number[]] => [
  sizesOf(dilation, 2, 'dilation'),
  sizesOf(padding, 2, 'padding'),
  sizesOf(stride, 2, 'stride'),
];

/** All windows of an image as columns: [N, C, H, W] -> [N, C kH kW, L]. */
export function unfold(x: Tensor, kernelSize: Sizes, options: FoldOptions = {}): Tensor {
  checkCall('unfold', ['x: tensor', 'kernelSize: sizes'], foldKinds, arguments);
  return torch.im2col(x, sizesOf(kernelSize, 2, 'kernelSize'), ...pairsOf(options));
}

/** The sum of windows at their places: [N, C kH kW, L] -> [N, C, H, W]. */
export function fold(x: Tensor, outputSize: Sizes, kernelSize: Sizes, options: FoldOptions = {}): Tensor {
  checkCall('fold', ['x: tensor', 'outputSize: sizes', 'kernelSize: sizes'], foldKinds, arguments);
  const [size, kernel] = [sizesOf(outputSize, 2, 'outputSize'), sizesOf(kernelSize, 2, 'kernelSize')];
  return torch.col2im(x, size, kernel, ...pairsOf(options));
}

/** Module of `functional.unfold`. */
export class Unfold extends Module {
  constructor(
    readonly kernelSize: Sizes,
    readonly options: FoldOptions = {},
  ) {
    checkCall('new nn.Unfold', ['kernelSize: sizes'], foldKinds, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return unfold(x, this.kernelSize, this.options);
  }
}

/** Module of `functional.fold`. */
export class Fold extends Module {
  constructor(
    readonly outputSize: Sizes,
    readonly kernelSize: Sizes,
    readonly options: FoldOptions = {},
  ) {
    checkCall('new nn.Fold', ['outputSize: sizes', 'kernelSize: sizes'], foldKinds, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return fold(x, this.outputSize, this.kernelSize, this.options);
  }
}
