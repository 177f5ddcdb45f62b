/** Helpers for operators that give each image of a batch its own parameters. */
import { fromArray, functions, type Tensor } from '../../tensor/index.js';

/** What decides the parameters of a batch. */
export interface Draw {
  seed: number;
  epoch: number;
  /** The images' numbers in the data set. */
  images: readonly number[];
}

/** One value an image, [N, 1, 1, 1], on a device. */
export function perImage(values: ArrayLike<number>, device: string): Tensor {
  return fromArray(Float32Array.from(values), [values.length, 1, 1, 1], { device });
}

/** `change` applied to some images of a batch, the others as they are. */
export function onRows(images: Tensor, rows: readonly number[], change: (some: Tensor) => Tensor): Tensor {
  if (rows.length === 0) return images;
  if (rows.length === images.shape[0]) return change(images);
  const index = fromArray(BigInt64Array.from(rows, BigInt)).to({ device: images.device });
  return images.indexCopy(0, index, change(images.indexSelect(0, index)));
}

/** Positions of `values` that pass. */
export function rowsWhere<T>(values: readonly T[], passes: (value: T) => boolean): number[] {
  return values.flatMap((value, row) => (passes(value) ? [row] : []));
}

export interface Rectangle {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** bool [N, 1, H, W]: inside of each image's rectangle. `images` [N, C, H, W] say of what size, and on which device. */
export function insideOf(rectangles: readonly Rectangle[], images: Tensor): Tensor {
  const { device } = images;
  const [, , height = 0, width = 0] = images.shape;
  const along = (size: number, begin: (r: Rectangle) => number, end: (r: Rectangle) => number, shape: number[]) => {
    const at = functions.arange(size, { dtype: 'float32', device }).view(shape);
    return at.ge(perImage(rectangles.map(begin), device)).logicalAnd(at.lt(perImage(rectangles.map(end), device)));
  };
  const rows = along(
    height,
    (r) => r.top,
    (r) => r.top + r.height,
    [1, 1, height, 1],
  );
  const columns = along(
    width,
    (r) => r.left,
    (r) => r.left + r.width,
    [1, 1, 1, width],
  );
  return rows.logicalAnd(columns);
}
