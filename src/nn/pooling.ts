import { type Tensor, functions as torch } from '../tensor/index.js';
import { type Pair, pair } from './conv.js';
import { Module } from './module.js';

export interface PoolOptions {
  /** Default: the kernel's size. */
  stride?: Pair;
  /** Default 0. */
  padding?: Pair;
}

/** Largest value of each window: [N, C, H, W] -> [N, C, H', W']. */
export class MaxPool2d extends Module {
  constructor(
    readonly kernelSize: Pair,
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    const { stride = this.kernelSize, padding = 0 } = this.options;
    return torch.maxPool2d(x, pair(this.kernelSize), pair(stride), pair(padding));
  }
}

/** Mean of each window: [N, C, H, W] -> [N, C, H', W']. */
export class AvgPool2d extends Module {
  constructor(
    readonly kernelSize: Pair,
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    const { stride = this.kernelSize, padding = 0 } = this.options;
    return torch.avgPool2d(x, pair(this.kernelSize), pair(stride), pair(padding));
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
