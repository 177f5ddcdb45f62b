import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, Linear, Module, type Sequential } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Chain, shuffleChannels } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const conv1x1 = (from: number, to: number) => new Conv2d(from, to, 1, { bias: false });
const depthwise = (channels: number, stride: number) =>
  new Conv2d(channels, channels, 3, { stride, padding: 1, groups: channels, bias: false });

/** Processes one half of the channels, keeps the other half, and shuffles both. */
class Unit extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;

  constructor(channels: number) {
    super();
    const half = channels / 2;
    this.conv1 = conv1x1(half, half);
    this.bn1 = new BatchNorm2d(half);
    this.conv2 = depthwise(half, 1);
    this.bn2 = new BatchNorm2d(half);
    this.conv3 = conv1x1(half, half);
    this.bn3 = new BatchNorm2d(half);
  }

  forward(x: Tensor): Tensor {
    const [left, right] = x.chunk(2, 1) as [Tensor, Tensor];
    const mixed = this.bn1.forwardRelu(this.conv1.forward(right));
    const spread = this.bn2.forward(this.conv2.forward(mixed));
    const out = this.bn3.forwardRelu(this.conv3.forward(spread));
    return shuffleChannels(torch.cat([left, out], 1), 2);
  }
}

/** Halves the size: both branches see all channels. */
class DownUnit extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv4: Conv2d;
  readonly bn4: BatchNorm2d;
  readonly conv5: Conv2d;
  readonly bn5: BatchNorm2d;

  constructor(from: number, to: number) {
    super();
    const half = to / 2;
    this.conv1 = depthwise(from, 2);
    this.bn1 = new BatchNorm2d(from);
    this.conv2 = conv1x1(from, half);
    this.bn2 = new BatchNorm2d(half);
    this.conv3 = conv1x1(from, half);
    this.bn3 = new BatchNorm2d(half);
    this.conv4 = depthwise(half, 2);
    this.bn4 = new BatchNorm2d(half);
    this.conv5 = conv1x1(half, half);
    this.bn5 = new BatchNorm2d(half);
  }

  forward(x: Tensor): Tensor {
    const left = this.bn2.forwardRelu(this.conv2.forward(this.bn1.forward(this.conv1.forward(x))));
    const mixed = this.bn3.forwardRelu(this.conv3.forward(x));
    const right = this.bn5.forwardRelu(this.conv5.forward(this.bn4.forward(this.conv4.forward(mixed))));
    return shuffleChannels(torch.cat([left, right], 1), 2);
  }
}

/**
 * ShuffleNetV2 (Ma et al. 2018) for small images as the CRD benchmark (RepDistiller) defines it, with a 1x1 stem. `map`
 * is the output of the last 1x1 convolution, 1024 channels. Any image size.
 */
export class CifarShuffleNetV2 extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly linear: Linear;
  readonly featureChannels = 1024;

  /** @param channels of the first stage; each one after it has twice as many */
  constructor(
    channels: number,
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const stage = (units: number, from: number, to: number) =>
      new Chain(new DownUnit(from, to), ...Array.from({ length: units }, () => new Unit(to)));
    this.conv1 = conv1x1(inChannels, 24);
    this.bn1 = new BatchNorm2d(24);
    this.layer1 = stage(3, 24, channels);
    this.layer2 = stage(7, channels, 2 * channels);
    this.layer3 = stage(3, 2 * channels, 4 * channels);
    this.conv2 = conv1x1(4 * channels, this.featureChannels);
    this.bn2 = new BatchNorm2d(this.featureChannels);
    this.linear = new Linear(this.featureChannels, numClasses);
  }

  forwardFeatures(images: Tensor): Features {
    const first = this.layer1.forward(this.bn1.forwardRelu(this.conv1.forward(images)));
    const second = this.layer2.forward(first);
    const third = this.layer3.forward(second);
    const map = this.bn2.forwardRelu(this.conv2.forward(third));
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.linear.forward(pooled), stages: [first, second, third] };
  }
}

const firstStage = { ShuffleV2: 116, 'ShuffleV2_1.5': 176 };

export const cifarShuffleNetsV2: ModelFamily = {
  names: Object.keys(firstStage),
  summary: 'ShuffleNetV2 for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create: (name, { numClasses, inChannels }) =>
    new CifarShuffleNetV2(firstStage[name as keyof typeof firstStage], numClasses, inChannels),
};
