/** Affine maps with nearest-neighbor sampling, as torchvision's affine() and rotate() on tensors; outside is 0. */
import { float, functions, type Tensor } from '../../tensor/index.js';

export interface AffineMap {
  /** Degrees, clockwise. Default 0. */
  angle?: number;
  /** Pixels to the right and down. Default [0, 0]. */
  translate?: readonly [number, number];
  /** Degrees along x and y. Default [0, 0]. */
  shear?: readonly [number, number];
  /** The fixed point, from the upper left corner. Default: the center of the image. */
  center?: readonly [number, number];
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Returns the matrix from target pixel to source pixel, [2, 3] in row-major order, in pixels from the center. */
export function inverseMatrix(map: AffineMap, height: number, width: number): number[] {
  const { angle = 0, translate: [tx, ty] = [0, 0], shear = [0, 0], center } = map;
  const [cx, cy] = center ? [center[0] - width / 2, center[1] - height / 2] : [0, 0];
  const turn = radians(angle);
  const [sx, sy] = [radians(shear[0]), radians(shear[1])];
  const a = Math.cos(turn - sy) / Math.cos(sy);
  const b = (-Math.cos(turn - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(turn);
  const c = Math.sin(turn - sy) / Math.cos(sy);
  const d = (-Math.sin(turn - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(turn);
  const x = d * (-cx - tx) - b * (-cy - ty) + cx;
  const y = -c * (-cx - tx) + a * (-cy - ty) + cy;
  return [d, -b, x, -c, a, y];
}

/** Transforms each image of [N, C, H, W] by its own map: `matrices` are their {@link inverseMatrix}, float32 [N, 6]. */
export function affine(images: Tensor, matrices: Tensor): Tensor {
  const [count = 0, , height = 0, width = 0] = images.shape;
  const { device } = images;
  const theta = matrices.view(count, 2, 3).transpose(1, 2);
  const half = functions.cat([width / 2, height / 2].map((one) => functions.full([1], float(one), { device })));
  const at = (size: number) => functions.arange(size, { dtype: 'float32', device }).add(0.5 - size / 2);
  const pixels = functions.stack(
    [
      at(width).view(1, width).expand([height, width]),
      at(height).view(height, 1).expand([height, width]),
      functions.ones([height, width], { device }),
    ],
    2,
  );
  const points = pixels.view(1, height * width, 3).expand([count, -1, -1]);
  const grid = points.bmm(theta.div(half)).view(count, height, width, 2);
  const [nearest, zeros] = [1, 0];
  return functions.gridSampler(images, grid, nearest, zeros, false);
}
