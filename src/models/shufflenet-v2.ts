import type { Features } from '../flow.js';
import {
  BatchNorm2d,
  Conv2d,
  functional as F,
  type Layer,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  type Sequential,
} from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Chain, convBn, shuffleChannels } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const pointwise = (from: number, to: number): Layer[] => [
  new Conv2d(from, to, 1, { bias: false }),
  new BatchNorm2d(to),
  new ReLU(),
];
const depthwise = (channels: number, stride: number): Layer[] => [
  new Conv2d(channels, channels, 3, { stride, padding: 1, groups: channels, bias: false }),
  new BatchNorm2d(channels),
];

/**
 * With stride 1, processes one half of the channels and keeps the other half; with stride 2, both branches receive all
 * channels.
 */
class InvertedResidual extends Module {
  readonly branch1: Sequential;
  readonly branch2: Sequential;

  constructor(
    from: number,
    to: number,
    private readonly stride: 1 | 2,
  ) {
    super();
    const half = to / 2;
    this.branch1 = new Chain(...(stride === 2 ? [...depthwise(from, 2), ...pointwise(from, half)] : []));
    this.branch2 = new Chain(
      ...pointwise(stride === 2 ? from : half, half),
      ...depthwise(half, stride),
      ...pointwise(half, half),
    );
  }

  forward(x: Tensor): Tensor {
    const [left, right] = this.stride === 2 ? [x, x] : (x.chunk(2, 1) as [Tensor, Tensor]);
    return shuffleChannels(torch.cat([this.branch1.forward(left), this.branch2.forward(right)], 1), 2);
  }
}

/**
 * ShuffleNetV2 (Ma et al. 2018) with torchvision's names; initial weights are the layers' defaults, as there. `map` is
 * the output of the last 1x1 convolution. Any image size.
 */
export class ShuffleNetV2 extends Classifier {
  readonly conv1: Sequential;
  readonly stage2: Sequential;
  readonly stage3: Sequential;
  readonly stage4: Sequential;
  readonly conv5: Sequential;
  readonly fc: Linear;
  readonly featureChannels: number;
  private readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });

  /** @param widths of the three stages and of the last convolution */
  constructor(
    [first, second, third, last]: readonly [number, number, number, number],
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const stage = (blocks: number, from: number, to: number) =>
      new Chain(
        new InvertedResidual(from, to, 2),
        ...Array.from({ length: blocks - 1 }, () => new InvertedResidual(to, to, 1)),
      );
    this.conv1 = convBn(inChannels, 24, 3, { stride: 2 });
    this.stage2 = stage(4, 24, first);
    this.stage3 = stage(8, first, second);
    this.stage4 = stage(4, second, third);
    this.conv5 = convBn(third, last, 1);
    this.fc = new Linear(last, numClasses);
    this.featureChannels = last;
  }

  forwardFeatures(images: Tensor): Features {
    const first = this.stage2.forward(this.maxpool.forward(this.conv1.forward(images)));
    const second = this.stage3.forward(first);
    const third = this.stage4.forward(second);
    const map = this.conv5.forward(third);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.fc.forward(pooled), stages: [first, second, third] };
  }
}

const widths = {
  shufflenet_v2_x0_5: [48, 96, 192, 1024],
  shufflenet_v2_x1_0: [116, 232, 464, 1024],
  shufflenet_v2_x1_5: [176, 352, 704, 1024],
  shufflenet_v2_x2_0: [244, 488, 976, 2048],
} as const;

export const shuffleNetsV2: ModelFamily = {
  names: Object.keys(widths),
  summary: 'ShuffleNetV2 for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (name, { numClasses, inChannels }) =>
    new ShuffleNetV2(widths[name as keyof typeof widths], numClasses, inChannels),
};
