import type { Features } from '../flow.js';
import {
  BatchNorm2d,
  Conv2d,
  functional as F,
  type Layer,
  Linear,
  MaxPool2d,
  Module,
  type Sequential,
} from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, convBn, initConvolutions } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

/** The parameters of a block; `width` is that of its 3x3 convolution relative to the stage's. */
interface BlockOptions {
  from: number;
  channels: number;
  stride: number;
  width: number;
}
type Block = new (options: BlockOptions) => Layer;

const shortcut = (from: number, to: number, stride: number) =>
  stride === 1 && from === to ? null : convBn(from, to, 1, { stride, activation: null });

class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor({ from, channels, stride }: BlockOptions) {
    super();
    this.conv1 = new Conv2d(from, channels, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(channels);
    this.downsample = shortcut(from, channels, stride);
  }

  forward(x: Tensor): Tensor {
    const out = this.bn1.forwardRelu(this.conv1.forward(x));
    return this.bn2.forwardRelu(this.conv2.forward(out), this.downsample ? this.downsample.forward(x) : x);
  }
}

/** Bottleneck block with the stride in the 3x3 convolution. */
class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor({ from, channels, stride, width }: BlockOptions) {
    super();
    const [inner, to] = [channels * width, channels * 4];
    this.conv1 = new Conv2d(from, inner, 1, { bias: false });
    this.bn1 = new BatchNorm2d(inner);
    this.conv2 = new Conv2d(inner, inner, 3, { stride, padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(inner);
    this.conv3 = new Conv2d(inner, to, 1, { bias: false });
    this.bn3 = new BatchNorm2d(to);
    this.downsample = shortcut(from, to, stride);
  }

  forward(x: Tensor): Tensor {
    const narrow = this.bn1.forwardRelu(this.conv1.forward(x));
    const out = this.bn2.forwardRelu(this.conv2.forward(narrow));
    return this.bn3.forwardRelu(this.conv3.forward(out), this.downsample ? this.downsample.forward(x) : x);
  }
}

interface Configuration {
  Block: Block;
  /** Output channels of a block relative to its stage's. */
  expansion: number;
  blocks: readonly [number, number, number, number];
  width: number;
}

/** ResNet (He et al. 2016) with torchvision's names and initial weights. Images of at least 32x32. */
export class ResNet extends Classifier {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Linear;
  readonly featureChannels: number;
  private readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });

  constructor(
    { Block, expansion, blocks, width }: Configuration,
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const stage = (count: number, first: number, channels: number, stride: number) =>
      new Chain(
        ...Array.from({ length: count }, (_, i) => {
          const from = i ? channels * expansion : first;
          return new Block({ from, channels, stride: i ? 1 : stride, width });
        }),
      );
    this.conv1 = new Conv2d(inChannels, 64, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = stage(blocks[0], 64, 64, 1);
    this.layer2 = stage(blocks[1], 64 * expansion, 128, 2);
    this.layer3 = stage(blocks[2], 128 * expansion, 256, 2);
    this.layer4 = stage(blocks[3], 256 * expansion, 512, 2);
    this.fc = new Linear(512 * expansion, numClasses);
    this.featureChannels = 512 * expansion;
    initConvolutions(this);
  }

  forwardFeatures(images: Tensor): Features {
    const stem = this.maxpool.forward(this.bn1.forwardRelu(this.conv1.forward(images)));
    const first = this.layer1.forward(stem);
    const second = this.layer2.forward(first);
    const third = this.layer3.forward(second);
    const map = this.layer4.forward(third);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.fc.forward(pooled), stages: [first, second, third, map] };
  }
}

const basic = { Block: BasicBlock, expansion: 1, width: 1 };
const bottleneck = { Block: Bottleneck, expansion: 4, width: 1 };
const configurations: Record<string, Configuration> = {
  resnet18: { ...basic, blocks: [2, 2, 2, 2] },
  resnet34: { ...basic, blocks: [3, 4, 6, 3] },
  resnet50: { ...bottleneck, blocks: [3, 4, 6, 3] },
  resnet101: { ...bottleneck, blocks: [3, 4, 23, 3] },
  wide_resnet50_2: { ...bottleneck, blocks: [3, 4, 6, 3], width: 2 },
};

export const resNets: ModelFamily = {
  names: Object.keys(configurations),
  summary: 'ResNet for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (name, { numClasses, inChannels }) =>
    new ResNet(configurations[name] as Configuration, numClasses, inChannels),
};
