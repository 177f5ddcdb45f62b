import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { type Sizes, sizesOf } from './sizes.js';

const padKinds: Kinds<PadOptions> = { mode: ['constant', 'reflect', 'replicate', 'circular'], value: 'number' };

/** How padding is filled: with a constant, the mirror image, the edge, or the opposite side. */
export type PaddingMode = 'constant' | 'reflect' | 'replicate' | 'circular';

/** Options of {@link pad}. */
export interface PadOptions {
  /** Default `constant`. */
  mode?: PaddingMode;
  /** Fill value of mode `constant`. Default 0. */
  value?: number;
}

/**
 * Pads a tensor. `padding`: sizes before and after the last dimension, then the one before it, and so on; negative
 * sizes crop.
 */
export function pad(x: Tensor, padding: readonly number[], options: PadOptions = {}): Tensor {
  checkCall('pad', ['x: tensor', 'padding: numbers'], padKinds, arguments);
  const { mode = 'constant', value = 0 } = options;
  return mode === 'constant' ? torch.pad(x, [...padding], 'constant', value) : torch.pad(x, [...padding], mode);
}

/** Pads the last dimensions of its input. */
abstract class PadNd extends Module {
  /** Sizes before and after each dimension, the last one first. */
  readonly padding: number[];

  constructor(
    dimensions: number,
    padding: Sizes,
    private readonly mode: PaddingMode,
    readonly value = 0,
  ) {
    super();
    this.padding = sizesOf(padding, 2 * dimensions, 'padding');
  }

  forward(x: Tensor): Tensor {
    return pad(x, this.padding, { mode: this.mode, value: this.value });
  }
}

/** Zeros around the last dimension; `padding` is one number, or before and after. */
export class ZeroPad1d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ZeroPad1d', ['padding: sizes'], undefined, arguments);
    super(1, padding, 'constant');
  }
}

/** Zeros around height and width; `padding` is one number, or [left, right, top, bottom]. */
export class ZeroPad2d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ZeroPad2d', ['padding: sizes'], undefined, arguments);
    super(2, padding, 'constant');
  }
}

/** Zeros around the last three dimensions. */
export class ZeroPad3d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ZeroPad3d', ['padding: sizes'], undefined, arguments);
    super(3, padding, 'constant');
  }
}

/** One value around the last dimension. */
export class ConstantPad1d extends PadNd {
  constructor(padding: Sizes, value: number) {
    checkCall('new nn.ConstantPad1d', ['padding: sizes', 'value: number'], undefined, arguments);
    super(1, padding, 'constant', value);
  }
}

/** One value around height and width. */
export class ConstantPad2d extends PadNd {
  constructor(padding: Sizes, value: number) {
    checkCall('new nn.ConstantPad2d', ['padding: sizes', 'value: number'], undefined, arguments);
    super(2, padding, 'constant', value);
  }
}

/** One value around the last three dimensions. */
export class ConstantPad3d extends PadNd {
  constructor(padding: Sizes, value: number) {
    checkCall('new nn.ConstantPad3d', ['padding: sizes', 'value: number'], undefined, arguments);
    super(3, padding, 'constant', value);
  }
}

/** Mirrors without repeating the edge. */
export class ReflectionPad1d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReflectionPad1d', ['padding: sizes'], undefined, arguments);
    super(1, padding, 'reflect');
  }
}

/** Mirrors height and width without repeating the edge. */
export class ReflectionPad2d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReflectionPad2d', ['padding: sizes'], undefined, arguments);
    super(2, padding, 'reflect');
  }
}

/** Mirrors the last three dimensions without repeating the edge. */
export class ReflectionPad3d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReflectionPad3d', ['padding: sizes'], undefined, arguments);
    super(3, padding, 'reflect');
  }
}

/** Repeats the edge. */
export class ReplicationPad1d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReplicationPad1d', ['padding: sizes'], undefined, arguments);
    super(1, padding, 'replicate');
  }
}

/** Repeats the edge of height and width. */
export class ReplicationPad2d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReplicationPad2d', ['padding: sizes'], undefined, arguments);
    super(2, padding, 'replicate');
  }
}

/** Repeats the edge of the last three dimensions. */
export class ReplicationPad3d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.ReplicationPad3d', ['padding: sizes'], undefined, arguments);
    super(3, padding, 'replicate');
  }
}

/** Wraps around to the opposite side of the last dimension. */
export class CircularPad1d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.CircularPad1d', ['padding: sizes'], undefined, arguments);
    super(1, padding, 'circular');
  }
}

/** Wraps around to the opposite side, in height and width. */
export class CircularPad2d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.CircularPad2d', ['padding: sizes'], undefined, arguments);
    super(2, padding, 'circular');
  }
}

/** Wraps around to the opposite side, in the last three dimensions. */
export class CircularPad3d extends PadNd {
  constructor(padding: Sizes) {
    checkCall('new nn.CircularPad3d', ['padding: sizes'], undefined, arguments);
    super(3, padding, 'circular');
  }
}
