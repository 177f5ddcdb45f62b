import { checkCall, type Kinds } from '../call.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './adaptive-pool.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

const interpolateKinds: Kinds<InterpolateOptions> = {
  size: 'any',
  scaleFactor: 'any',
  mode: ['nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area'],
  alignCorners: 'boolean',
  antialias: 'boolean',
};

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /** Spatial size of the result; this or `scaleFactor`. */
  size?: Sizes;
  /** Size of the result divided by that of the input. */
  scaleFactor?: Sizes;
  /**
   * `linear`, `bilinear` and `trilinear` are for one, two and three spatial dimensions, `bicubic` for two. Default
   * `nearest`.
   */
  mode?: 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic' | 'area';
  /** Aligns the corner pixels of input and result; for the linear modes and bicubic. Default false. */
  alignCorners?: boolean;
  /** Filters when downscaling, against aliasing; for bilinear and bicubic. Default false. */
  antialias?: boolean;
}

const dimensionsOf: Record<string, number> = { linear: 1, bilinear: 2, trilinear: 3, bicubic: 2 };

/** Resizes the spatial dimensions of [N, C, ...sizes], as torch.nn.functional.interpolate. */
export function interpolate(x: Tensor, options: InterpolateOptions = {}): Tensor {
  checkCall('interpolate', ['x: tensor'], interpolateKinds, arguments);
  const { size, scaleFactor, mode = 'nearest', alignCorners = false, antialias = false } = options;
  const spatial = x.ndim - 2;
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ArgumentError('interpolate takes either size or scaleFactor.');
  if (spatial < 1 || spatial > 3 || (dimensionsOf[mode] ?? spatial) !== spatial)
    throw new ShapeError(`interpolate cannot resize [${x.shape.join(', ')}] by '${mode}'.`);
  if (alignCorners && dimensionsOf[mode] === undefined)
    throw new ArgumentError(`alignCorners is for the linear modes and bicubic, not for '${mode}'.`);
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw new ArgumentError(`antialias is for bilinear and bicubic, not for '${mode}'.`);
  const target = size === undefined ? null : sizesOf(size, spatial, 'size');
  const factors = scaleFactor === undefined ? null : sizesOf(scaleFactor, spatial, 'scaleFactor');
  switch (mode) {
    case 'nearest':
      if (spatial === 1) return torch.upsampleNearest1d(x, target, factors);
      return spatial === 2 ? torch.upsampleNearest2d(x, target, factors) : torch.upsampleNearest3d(x, target, factors);
    case 'nearest-exact':
      if (spatial === 1) return torch._upsampleNearestExact1d(x, target, factors);
      if (spatial === 2) return torch._upsampleNearestExact2d(x, target, factors);
      return torch._upsampleNearestExact3d(x, target, factors);
    case 'linear':
      return torch.upsampleLinear1d(x, target, alignCorners, factors);
    case 'bilinear':
      if (antialias) return torch._upsampleBilinear2dAa(x, target, alignCorners, factors);
      return torch.upsampleBilinear2d(x, target, alignCorners, factors);
    case 'trilinear':
      return torch.upsampleTrilinear3d(x, target, alignCorners, factors);
    case 'bicubic':
      if (antialias) return torch._upsampleBicubic2dAa(x, target, alignCorners, factors);
      return torch.upsampleBicubic2d(x, target, alignCorners, factors);
    case 'area': {
      const wanted = target ?? x.shape.slice(2).map((length, i) => Math.floor(length * (factors?.[i] as number)));
      if (spatial === 1) return adaptiveAvgPool1d(x, wanted);
      return spatial === 2 ? adaptiveAvgPool2d(x, wanted) : adaptiveAvgPool3d(x, wanted);
    }
    default:
      throw new ArgumentError(`interpolate has no mode '${mode}'.`);
  }
}

/** {@link interpolate} as a layer. */
export class Upsample extends Module {
  constructor(readonly options: InterpolateOptions) {
    checkCall('new nn.Upsample', [], interpolateKinds, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }
}

const sizeKinds: Kinds<UpsamplingOptions> = { size: 'any', scaleFactor: 'any' };

/** Options of {@link UpsamplingNearest2d} and {@link UpsamplingBilinear2d}. */
export type UpsamplingOptions = Pick<InterpolateOptions, 'size' | 'scaleFactor'>;

/** `nn.Upsample` of images by the nearest value. */
export class UpsamplingNearest2d extends Module {
  constructor(readonly options: UpsamplingOptions) {
    checkCall('new nn.UpsamplingNearest2d', [], sizeKinds, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, { ...this.options, mode: 'nearest' });
  }
}

/** `nn.Upsample` of images, bilinear with aligned corners. */
export class UpsamplingBilinear2d extends Module {
  constructor(readonly options: UpsamplingOptions) {
    checkCall('new nn.UpsamplingBilinear2d', [], sizeKinds, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, { ...this.options, mode: 'bilinear', alignCorners: true });
  }
}
