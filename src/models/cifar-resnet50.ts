import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, Linear, Module, type Sequential } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, convBn, initConvolutions } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly shortcut: Sequential;

  constructor(from: number, width: number, stride: number) {
    super();
    const to = 4 * width;
    this.conv1 = new Conv2d(from, width, 1, { bias: false });
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = new Conv2d(width, width, 3, { stride, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = new Conv2d(width, to, 1, { bias: false });
    this.bn3 = new BatchNorm2d(to);
    const same = stride === 1 && from === to;
    this.shortcut = same ? new Chain() : convBn(from, to, 1, { stride, activation: null });
  }

  forward(x: Tensor): Tensor {
    const narrow = this.bn1.forwardRelu(this.conv1.forward(x));
    const out = this.bn2.forwardRelu(this.conv2.forward(narrow));
    return this.bn3.forwardRelu(this.conv3.forward(out), this.shortcut.forward(x));
  }
}

/**
 * ResNet-50 for small images as the CRD benchmark (RepDistiller) defines it: a 3x3 stem without pooling, four stages.
 * Any image size.
 */
export class CifarResNet50 extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly linear: Linear;
  readonly featureChannels = 2048;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const stage = (blocks: number, from: number, width: number, stride: number) =>
      new Chain(
        ...Array.from({ length: blocks }, (_, i) => new Bottleneck(i ? 4 * width : from, width, i ? 1 : stride)),
      );
    this.conv1 = new Conv2d(inChannels, 64, 3, { padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = stage(3, 64, 64, 1);
    this.layer2 = stage(4, 256, 128, 2);
    this.layer3 = stage(6, 512, 256, 2);
    this.layer4 = stage(3, 1024, 512, 2);
    this.linear = new Linear(2048, numClasses);
    initConvolutions(this);
  }

  forwardFeatures(images: Tensor): Features {
    const stem = this.bn1.forwardRelu(this.conv1.forward(images));
    const first = this.layer1.forward(stem);
    const second = this.layer2.forward(first);
    const third = this.layer3.forward(second);
    const map = this.layer4.forward(third);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.linear.forward(pooled), stages: [first, second, third, map] };
  }
}

export const cifarResNet50: ModelFamily = {
  names: ['ResNet50'],
  summary: 'ResNet-50 for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create: (_name, { numClasses, inChannels }) => new CifarResNet50(numClasses, inChannels),
};
