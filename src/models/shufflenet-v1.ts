import type { Features } from '../flow.js';
import { AvgPool2d, BatchNorm2d, Conv2d, functional as F, Linear, Module, type Sequential } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Chain, shuffleChannels } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const groups = 3;
const stemChannels = 24;

/**
 * Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1. With stride 2 the pooled input is concatenated with the result,
 * otherwise the input is added to it.
 */
class Unit extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  private readonly pool: AvgPool2d | null;
  private readonly groups: number;

  constructor(from: number, to: number, stride: 1 | 2) {
    super();
    const inner = to / 4;
    this.groups = from === stemChannels ? 1 : groups;
    this.conv1 = new Conv2d(from, inner, 1, { groups: this.groups, bias: false });
    this.bn1 = new BatchNorm2d(inner);
    this.conv2 = new Conv2d(inner, inner, 3, { stride, padding: 1, groups: inner, bias: false });
    this.bn2 = new BatchNorm2d(inner);
    this.conv3 = new Conv2d(inner, to, 1, { groups, bias: false });
    this.bn3 = new BatchNorm2d(to);
    this.pool = stride === 2 ? new AvgPool2d(3, { stride: 2, padding: 1 }) : null;
  }

  forward(x: Tensor): Tensor {
    const narrow = shuffleChannels(this.bn1.forwardRelu(this.conv1.forward(x)), this.groups);
    const spread = this.bn2.forwardRelu(this.conv2.forward(narrow));
    const out = this.bn3.forward(this.conv3.forward(spread));
    return F.relu(this.pool ? torch.cat([out, this.pool.forward(x)], 1) : out.add(x));
  }
}

/**
 * ShuffleNet of 3 groups (Zhang et al. 2018) for small images as the CRD benchmark (RepDistiller) defines it, with a
 * 1x1 stem. Any image size.
 */
export class ShuffleNetV1 extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly linear: Linear;
  readonly featureChannels = 960;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const stage = (units: number, from: number, to: number) =>
      new Chain(new Unit(from, to - from, 2), ...Array.from({ length: units - 1 }, () => new Unit(to, to, 1)));
    this.conv1 = new Conv2d(inChannels, stemChannels, 1, { bias: false });
    this.bn1 = new BatchNorm2d(stemChannels);
    this.layer1 = stage(4, stemChannels, 240);
    this.layer2 = stage(8, 240, 480);
    this.layer3 = stage(4, 480, 960);
    this.linear = new Linear(960, numClasses);
  }

  forwardFeatures(images: Tensor): Features {
    const first = this.layer1.forward(this.bn1.forwardRelu(this.conv1.forward(images)));
    const second = this.layer2.forward(first);
    const map = this.layer3.forward(second);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.linear.forward(pooled), stages: [first, second, map] };
  }
}

export const shuffleNetV1: ModelFamily = {
  names: ['ShuffleV1'],
  summary: 'ShuffleNet of 3 groups for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create: (_name, { numClasses, inChannels }) => new ShuffleNetV1(numClasses, inChannels),
};
