/**
 * Random numbers that parameterize the augmentation of each image of a batch: drawn on the host, read by operators on
 * the images' device.
 */
import { fromArray, functions, type Tensor } from '../../tensor/index.js';

/** What the random numbers of a batch depend on. */
export interface Draw {
  seed: number;
  epoch: number;
  /** The images' numbers in the data set. */
  images: readonly number[];
}

/** The numbers of a batch, one row per image. */
export interface Parameters {
  /** Returns one column, float32 [N, 1, 1, 1]. */
  column(which: number): Tensor;
  /** Returns adjacent columns, float32 [N, count]. */
  columns(begin: number, count: number): Tensor;
  /** Returns the columns from `begin` on. */
  from(begin: number): Parameters;
  /** Applies `change` to the images whose number in column `which` equals `value`; the others stay unchanged. */
  where(which: number, value: number, images: Tensor, change: (some: Tensor, theirs: Parameters) => Tensor): Tensor;
}

/** Numbers on the host: a change of some images is computed for those images only. */
class HostParameters implements Parameters {
  constructor(
    private readonly rows: readonly (readonly number[])[],
    private readonly first = 0,
  ) {}

  column(which: number): Tensor {
    return perImage(this.rows.map((row) => row[this.first + which] as number));
  }

  columns(begin: number, count: number): Tensor {
    const from = this.first + begin;
    const values = this.rows.flatMap((row) => row.slice(from, from + count));
    return fromArray(Float32Array.from(values), [this.rows.length, count]);
  }

  from(begin: number): Parameters {
    return new HostParameters(this.rows, this.first + begin);
  }

  where(which: number, value: number, images: Tensor, change: (some: Tensor, theirs: Parameters) => Tensor): Tensor {
    const chosen = this.rows.flatMap((row, i) => (row[this.first + which] === value ? [i] : []));
    if (chosen.length === 0) return images;
    if (chosen.length === this.rows.length) return change(images, this);
    const theirs = new HostParameters(
      chosen.map((i) => this.rows[i] as readonly number[]),
      this.first,
    );
    const index = fromArray(BigInt64Array.from(chosen, BigInt));
    return images.indexCopy(0, index, change(images.indexSelect(0, index), theirs));
  }
}

/**
 * Numbers on a device, float32 [N, columns], that the host never reads: a change is computed for all images and kept
 * for the selected ones, so it can be captured in a CUDA graph.
 */
class DeviceParameters implements Parameters {
  constructor(
    private readonly table: Tensor | undefined,
    private readonly first = 0,
  ) {}

  column(which: number): Tensor {
    return this.columns(which, 1).view(-1, 1, 1, 1);
  }

  columns(begin: number, count: number): Tensor {
    return (this.table as Tensor).narrow(1, this.first + begin, count).contiguous();
  }

  from(begin: number): Parameters {
    return new DeviceParameters(this.table, this.first + begin);
  }

  where(which: number, value: number, images: Tensor, change: (some: Tensor, theirs: Parameters) => Tensor): Tensor {
    return functions.where(this.column(which).eq(value), change(images, this), images);
  }
}

/** Wraps rows of numbers for images on the CPU. */
export const hostParameters = (rows: readonly (readonly number[])[]): Parameters => new HostParameters(rows);

/** Wraps numbers on a device, float32 [N, columns], for images there; `table` is undefined if there are no numbers. */
export const deviceParameters = (table: Tensor | undefined): Parameters => new DeviceParameters(table);

/** A change of images that is parameterized by random numbers per image. */
export interface Augmentation {
  /** How many numbers each image needs. */
  columns: number;
  /** Draws the numbers of an image for an epoch. */
  draw(image: DrawnImage): number[];
  apply(images: Tensor, parameters: Parameters): Tensor;
}

/** An image and the epoch for which its numbers are drawn. */
export interface DrawnImage {
  seed: number;
  epoch: number;
  image: number;
  height: number;
  width: number;
}

/** Converts one value per image to float32 [N, 1, 1, 1]. */
export function perImage(values: ArrayLike<number>): Tensor {
  return fromArray(Float32Array.from(values), [values.length, 1, 1, 1]);
}

/** Converts one value per channel to float32 [1, C, 1, 1], without a copy from the host. */
export function perChannel(values: readonly number[], device: string): Tensor {
  return functions.cat(
    values.map((value) => functions.full([1, 1, 1, 1], value, { dtype: 'float32', device })),
    1,
  );
}

export interface Rectangle {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Returns the columns of a rectangle, in the order that {@link insideOf} reads. */
export const rectangleNumbers = ({ top, left, height, width }: Rectangle): number[] => [
  top,
  top + height,
  left,
  left + width,
];

/** Masks the inside of each image's rectangle, bool [N, 1, H, W]. `images` [N, C, H, W] set the size and the device. */
export function insideOf(rectangles: Parameters, images: Tensor): Tensor {
  const { device } = images;
  const [, , height = 0, width = 0] = images.shape;
  const along = (size: number, first: number, shape: number[]) => {
    const at = functions.arange(size, { dtype: 'float32', device }).view(shape);
    return at.ge(rectangles.column(first)).logicalAnd(at.lt(rectangles.column(first + 1)));
  };
  return along(height, 0, [1, 1, height, 1]).logicalAnd(along(width, 2, [1, 1, 1, width]));
}
