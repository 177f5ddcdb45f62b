/** Layers and weight initializations that several architectures share. */
import { droppedAsWhole } from '../nn/batch-share.js';
import {
  anyHooks,
  BatchNorm2d,
  type BatchNormOptions,
  Conv2d,
  init,
  type Layer,
  Linear,
  Module,
  ReLU,
  Sequential,
} from '../nn/index.js';
import { scope, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * A Sequential that frees each intermediate result once the next layer has run: the memory is reused while warm, and a
 * frozen teacher needs little of it. The autograd graph keeps what backward needs. If hooks are registered, all results
 * live until the scope ends.
 */
export class Chain extends Sequential {
  override forward(x: Tensor): Tensor {
    if (anyHooks()) return super.forward(x);
    let value = x;
    const layers = [...this];
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[i] as Layer;
      const joined = layer instanceof BatchNorm2d && layers[i + 1] instanceof ReLU;
      const next = scope(() => (joined ? layer.forwardRelu(value) : layer.forward(value)));
      if (joined) i++;
      if (value !== x && value !== next) value.dispose();
      value = next;
    }
    return value;
  }
}

export interface ConvBnOptions {
  /** Stride of the convolution. Default 1. */
  stride?: number;
  /** Groups of the convolution. Default 1. */
  groups?: number;
  /** Creates the layer after the normalization; null for none. Default ReLU. */
  activation?: (() => Layer) | null;
  norm?: BatchNormOptions;
}

/** Builds convolution without bias, batch normalization, activation. The padding keeps the size if the stride is 1. */
export function convBn(from: number, to: number, kernel: number, options: ConvBnOptions = {}): Sequential {
  const { stride = 1, groups = 1, activation = () => new ReLU(), norm = {} } = options;
  const conv = new Conv2d(from, to, kernel, { stride, padding: (kernel - 1) / 2, groups, bias: false });
  return new Chain(conv, new BatchNorm2d(to, norm), ...(activation ? [activation()] : []));
}

/** Returns the output of every layer whose number is in `ends`, in order. */
export function outputsAfter(ends: readonly number[], layers: readonly Layer[], x: Tensor): Tensor[] {
  let value = x;
  return layers.flatMap((layer, i) => {
    value = layer.forward(value);
    return ends.includes(i) ? [value] : [];
  });
}

/** Returns the numbers of the blocks after which the map shrinks, and of the last block. */
export function endsOfStages(strides: readonly number[]): number[] {
  return strides.flatMap((_, i) => (i === strides.length - 1 || strides[i + 1] === 2 ? [i] : []));
}

/** Interleaves the channels of `groups` groups, so that the next grouped convolution sees all of them. */
export function shuffleChannels(x: Tensor, groups: number): Tensor {
  const [, channels, height, width] = x.shape as [number, number, number, number];
  return x
    .reshape([-1, groups, channels / groups, height, width])
    .transpose(1, 2)
    .reshape([-1, channels, height, width]);
}

/** Rounds to the nearest multiple of `divisor`, at least `divisor`, and not below 90% of `value`. */
export function divisible(value: number, divisor = 8): number {
  const nearest = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor);
  return nearest < 0.9 * value ? nearest + divisor : nearest;
}

/** Scales each channel by a factor that a two-layer network computes from all channel means. Hu et al. 2018. */
export class SqueezeExcitation extends Module {
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;

  constructor(
    channels: number,
    squeezed: number,
    private readonly activation: (x: Tensor) => Tensor,
    private readonly gate: (x: Tensor) => Tensor,
  ) {
    super();
    this.fc1 = new Conv2d(channels, squeezed, 1);
    this.fc2 = new Conv2d(squeezed, channels, 1);
  }

  forward(x: Tensor): Tensor {
    const squeezed = this.activation(this.fc1.forward(x.mean([2, 3], true)));
    return x.mul(this.gate(this.fc2.forward(squeezed)));
  }
}

/**
 * In training mode, sets whole samples of a residual branch to zero with probability `p` and scales the others by 1 /
 * (1 - p).
 */
export class StochasticDepth extends Module {
  constructor(readonly p: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    const survival = 1 - this.p;
    const sizes = [x.shape[0] as number, ...new Array<number>(x.ndim - 1).fill(1)];
    const chances = torch.full(sizes, survival, { dtype: x.dtype, device: x.device });
    const kept = droppedAsWhole(chances, (all) => all.bernoulli());
    return x.mul(kept.div(survival));
  }
}

/** Initializes convolutions: normal with variance 2 / (outputs * kernel area), bias 0. He et al. 2015, by fan out. */
export function initConvolutions(model: Module): void {
  model.apply((module) => {
    if (!(module instanceof Conv2d)) return;
    init.kaimingNormal_(module.weight, { mode: 'fanOut', nonlinearity: 'relu' });
    if (module.bias) init.zeros_(module.bias);
  });
}

/** Initializes linear layers: normal with standard deviation 0.01, bias 0. */
export function initLinears(model: Module): void {
  model.apply((module) => {
    if (!(module instanceof Linear)) return;
    init.normal_(module.weight, 0, 0.01);
    if (module.bias) init.zeros_(module.bias);
  });
}
