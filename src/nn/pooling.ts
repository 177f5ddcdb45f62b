import { type Tensor, functions as torch } from '../tensor/index.js';
import { type Pair, pair } from './conv.js';
import { Module } from './module.js';

export interface PoolOptions {
  /** Default: the kernel's size. */
  stride?: Pair;
  /** Default 0. */
  padding?: Pair;
}

/** Slides a window over height and width: [N, C, H, W] -> [N, C, H', W']. */
abstract class WindowPool2d extends Module {
  protected readonly kernel: [number, number];
  protected readonly stride: [number, number];
  protected readonly padding: [number, number];

  constructor(kernelSize: Pair, { stride = kernelSize, padding = 0 }: PoolOptions = {}) {
    super();
    this.kernel = pair(kernelSize);
    this.stride = pair(stride);
    this.padding = pair(padding);
  }
}

/** Largest value of each window. */
export class MaxPool2d extends WindowPool2d {
  forward(x: Tensor): Tensor {
    return torch.maxPool2d(x, this.kernel, this.stride, this.padding);
  }
}

/** Mean of each window. */
export class AvgPool2d extends WindowPool2d {
  forward(x: Tensor): Tensor {
    return torch.avgPool2d(x, this.kernel, this.stride, this.padding);
  }
}

/** Mean over windows whose size follows from that of the result: [N, C, H, W] -> [N, C, ...outputSize]. */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly outputSize: Pair) {
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.adaptiveAvgPool2d(x, pair(this.outputSize));
  }
}

/** Makes one dimension of those from `startDim` on. Default 1: [N, ...] -> [N, M]. */
export class Flatten extends Module {
  constructor(readonly startDim = 1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.flatten(x, this.startDim);
  }
}
