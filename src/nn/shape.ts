/** Modules that only move elements. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

/** Returns its input. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Joins the dimensions from `startDim` to `endDim`: [N, C, H, W] -> [N, C * H * W]. */
export class Flatten extends Module {
  constructor(
    readonly startDim = 1,
    readonly endDim = -1,
  ) {
    checkCall('new nn.Flatten', ['startDim?: number', 'endDim?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.flatten(x, this.startDim, this.endDim);
  }
}

/** Splits dimension `dim` into several; a size of -1 is inferred from the others. */
export class Unflatten extends Module {
  constructor(
    readonly dim: number,
    readonly sizes: readonly number[],
  ) {
    checkCall('new nn.Unflatten', ['dim: number', 'sizes: list'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.unflatten(x, this.dim, [...this.sizes]);
  }
}

/** [N, C * r^2, H, W] -> [N, C, H * r, W * r]. */
export class PixelShuffle extends Module {
  constructor(readonly upscaleFactor: number) {
    checkCall('new nn.PixelShuffle', ['upscaleFactor: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.pixelShuffle(x, this.upscaleFactor);
  }
}

/** [N, C, H * r, W * r] -> [N, C * r^2, H, W]. */
export class PixelUnshuffle extends Module {
  constructor(readonly downscaleFactor: number) {
    checkCall('new nn.PixelUnshuffle', ['downscaleFactor: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.pixelUnshuffle(x, this.downscaleFactor);
  }
}

/** Takes the channels of [N, C, H, W] in turn from each of `groups` groups. */
export class ChannelShuffle extends Module {
  constructor(readonly groups: number) {
    checkCall('new nn.ChannelShuffle', ['groups: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.channelShuffle(x, this.groups);
  }
}
