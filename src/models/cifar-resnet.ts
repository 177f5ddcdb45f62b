import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, init, Linear, Module, type Sequential } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const conv3x3 = (from: number, to: number, stride = 1) => new Conv2d(from, to, 3, { stride, padding: 1, bias: false });

class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(from: number, to: number, stride: number) {
    super();
    this.conv1 = conv3x3(from, to, stride);
    this.bn1 = new BatchNorm2d(to);
    this.conv2 = conv3x3(to, to);
    this.bn2 = new BatchNorm2d(to);
    const same = stride === 1 && from === to;
    this.downsample = same ? null : new Chain(new Conv2d(from, to, 1, { stride, bias: false }), new BatchNorm2d(to));
  }

  forward(x: Tensor): Tensor {
    const out = this.bn1.forwardRelu(this.conv1.forward(x));
    return this.bn2.forwardRelu(this.conv2.forward(out), this.downsample ? this.downsample.forward(x) : x);
  }
}

/**
 * The ResNet for small images of He et al. 2016, section 4.2, as the CRD benchmark (RepDistiller) defines it: a 3x3
 * stem, three stages of n BasicBlocks at full, half and quarter size, 1x1-convolution shortcuts, depth 6n + 2. Any
 * image size.
 */
export class CifarResNet extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly fc: Linear;
  readonly featureChannels: number;

  /** @param widths of the stem and the three stages */
  constructor(
    depth: number,
    widths: readonly [number, number, number, number],
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const [stem, first, second, third] = widths;
    const blocks = (depth - 2) / 6;
    const stage = (from: number, to: number, stride: number) =>
      new Chain(
        ...Array.from({ length: blocks }, (_, i) => new BasicBlock(i === 0 ? from : to, to, i === 0 ? stride : 1)),
      );
    this.conv1 = conv3x3(inChannels, stem);
    this.bn1 = new BatchNorm2d(stem);
    this.layer1 = stage(stem, first, 1);
    this.layer2 = stage(first, second, 2);
    this.layer3 = stage(second, third, 2);
    this.fc = new Linear(third, numClasses);
    this.featureChannels = third;
    this.apply((module) => {
      if (module instanceof Conv2d) init.kaimingNormal_(module.weight, { mode: 'fanOut', nonlinearity: 'relu' });
    });
  }

  forwardFeatures(images: Tensor): Features {
    const stem = this.bn1.forwardRelu(this.conv1.forward(images));
    const first = this.layer1.forward(stem);
    const second = this.layer2.forward(first);
    const map = this.layer3.forward(second);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.fc.forward(pooled), stages: [first, second, map] };
  }
}

const thin = [16, 16, 32, 64] as const;
const wide = [32, 64, 128, 256] as const;
const names = [...[8, 14, 20, 32, 44, 56, 110].map((depth) => `resnet${depth}`), 'resnet8x4', 'resnet32x4'];

export const cifarResNets: ModelFamily = {
  names,
  summary: 'ResNet for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create(name, { numClasses, inChannels }) {
    const [, depth, factor] = name.match(/^resnet(\d+?)(x4)?$/) ?? [];
    return new CifarResNet(Number(depth), factor ? wide : thin, numClasses, inChannels);
  },
};
