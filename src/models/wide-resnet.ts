import { ConfigError } from '../errors.js';
import type { Features } from '../flow.js';
import { anyHooks, BatchNorm2d, Conv2d, functional as F, init, Linear, Module, type Sequential } from '../nn/index.js';
import { scope, type Tensor } from '../tensor/index.js';
import { Chain, initConvolutions } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const conv3x3 = (from: number, to: number, stride = 1) => new Conv2d(from, to, 3, { stride, padding: 1, bias: false });

/** Two maps whose sum is the output of a block. */
type Summands = readonly [shortcut: Tensor, residual: Tensor];

/**
 * Normalizes and activates before each convolution; a shortcut that changes the width starts after the first
 * activation.
 */
class PreActivationBlock extends Module {
  readonly bn1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly convShortcut: Conv2d | null;

  constructor(from: number, to: number, stride: number) {
    super();
    this.bn1 = new BatchNorm2d(from);
    this.conv1 = conv3x3(from, to, stride);
    this.bn2 = new BatchNorm2d(to);
    this.conv2 = conv3x3(to, to);
    this.convShortcut = from === to ? null : new Conv2d(from, to, 1, { stride, bias: false });
  }

  forward(x: Tensor): Tensor {
    const [shortcut, residual] = this.startFrom(x);
    return shortcut.add(residual);
  }

  /** Returns the summands of the output for an input. */
  startFrom(x: Tensor): Summands {
    return this.summands(this.bn1.forwardRelu(x), x);
  }

  /** Like {@link startFrom}, with the result of bn1 and ReLU on the input already computed. */
  summands(active: Tensor, x: Tensor): Summands {
    const shortcut = this.convShortcut ? this.convShortcut.forward(active) : x;
    const out = this.bn2.forwardRelu(this.conv1.forward(active));
    return [shortcut, this.conv2.forward(out)];
  }
}

class Stage extends Module {
  readonly layer: Sequential;

  get blocks(): PreActivationBlock[] {
    return [...this.layer] as PreActivationBlock[];
  }

  constructor(blocks: number, from: number, to: number, stride: number) {
    super();
    this.layer = new Chain(
      ...Array.from({ length: blocks }, (_, i) => new PreActivationBlock(i ? to : from, to, i ? 1 : stride)),
    );
  }

  forward(x: Tensor): Tensor {
    return this.layer.forward(x);
  }
}

/**
 * Wide ResNet (Zagoruyko and Komodakis 2016) as the CRD benchmark (RepDistiller) defines it: depth 6n + 4, widths 16,
 * 16k, 32k, 64k, no dropout. `map` is the output of the final normalization and ReLU, the input of the classifier;
 * `stages` are taken before normalization and ReLU. Any image size.
 */
export class WideResNet extends Classifier {
  readonly conv1: Conv2d;
  readonly block1: Stage;
  readonly block2: Stage;
  readonly block3: Stage;
  readonly bn1: BatchNorm2d;
  readonly fc: Linear;
  readonly featureChannels: number;

  constructor(
    depth: number,
    width: number,
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const blocks = (depth - 4) / 6;
    this.conv1 = conv3x3(inChannels, 16);
    this.block1 = new Stage(blocks, 16, 16 * width, 1);
    this.block2 = new Stage(blocks, 16 * width, 32 * width, 2);
    this.block3 = new Stage(blocks, 32 * width, 64 * width, 2);
    this.bn1 = new BatchNorm2d(64 * width);
    this.fc = new Linear(64 * width, numClasses);
    this.featureChannels = 64 * width;
    initConvolutions(this);
    if (this.fc.bias) init.zeros_(this.fc.bias);
  }

  forwardFeatures(images: Tensor): Features {
    const input = this.conv1.forward(images);
    const joins = this.training && images.device !== 'cpu' && !anyHooks();
    const { map, stages } = joins ? this.joined(input) : this.oneByOne(input);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.fc.forward(pooled), stages };
  }

  private oneByOne(input: Tensor): { map: Tensor; stages: Tensor[] } {
    const first = this.block1.forward(input);
    const second = this.block2.forward(first);
    const third = this.block3.forward(second);
    return { map: this.bn1.forwardRelu(third), stages: [first, second, third] };
  }

  /** The same forward, but each normalization computes the sum that it reads. */
  private joined(input: Tensor): { map: Tensor; stages: Tensor[] } {
    const [first, ...others] = [this.block1, this.block2, this.block3].flatMap((stage) => stage.blocks);
    const sums = [input];
    let last = scope(() => (first as PreActivationBlock).startFrom(input));
    const replaceLast = (sum: Tensor, next: Summands) => {
      for (const summand of last) if (!sums.includes(summand)) summand.dispose();
      sums.push(sum);
      last = next;
    };
    for (const block of others) {
      const { sum, next } = scope(() => {
        const [active, sum] = block.bn1.forwardReluSum(...last);
        return { sum, next: block.summands(active, sum) };
      });
      replaceLast(sum, next);
    }
    const [map, sum] = this.bn1.forwardReluSum(...last);
    replaceLast(sum, last);
    const perStage = (sums.length - 1) / 3;
    return { map, stages: [1, 2, 3].map((stage) => sums[stage * perStage] as Tensor) };
  }
}

const pattern = /^wrn_([1-9]\d*)_([1-9]\d*)$/;

export const wideResNets: ModelFamily = {
  names: ['wrn_16_1', 'wrn_16_2', 'wrn_40_1', 'wrn_40_2', 'wrn_16_4', 'wrn_40_4', 'wrn_28_10'],
  pattern,
  summary: 'Wide ResNet wrn_<depth>_<width> for 32x32 images, depth 6n + 4 (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create(name, { numClasses, inChannels }) {
    const [, depth, width] = (name.match(pattern) ?? []).map(Number) as [number, number, number];
    if (depth < 10 || depth % 6 !== 4)
      throw new ConfigError(`'${name}': the depth must be 6n + 4, as in 10, 16, 22, 28, 40; it is ${depth}.`);
    return new WideResNet(depth, width, numClasses, inChannels);
  },
};
