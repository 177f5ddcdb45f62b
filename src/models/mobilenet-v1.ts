import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, Linear, ReLU, type Sequential } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, convBn, endsOfStages, outputsAfter } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

/** For each block: output channels and stride of the depthwise convolution. */
const settings = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
] as const;
const strides = [2, ...settings.map(([, stride]) => stride)];

const separable = (from: number, to: number, stride: number) =>
  new Chain(
    new Conv2d(from, from, 3, { stride, padding: 1, groups: from, bias: false }),
    new BatchNorm2d(from),
    new ReLU(),
    new Conv2d(from, to, 1, { bias: false }),
    new BatchNorm2d(to),
    new ReLU(),
  );

/**
 * MobileNet (Howard et al. 2017): a stem and 13 depthwise separable blocks in `model`, and one linear layer `fc`;
 * published PyTorch weights use these names. Initial weights are the layers' defaults. Any image size.
 */
export class MobileNetV1 extends Classifier {
  readonly model: Sequential;
  readonly fc: Linear;
  readonly featureChannels = 1024;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    this.model = new Chain(
      convBn(inChannels, 32, 3, { stride: 2 }),
      ...settings.map(([to, stride], i) => separable(settings[i - 1]?.[0] ?? 32, to, stride)),
    );
    this.fc = new Linear(1024, numClasses);
  }

  forwardFeatures(images: Tensor): Features {
    const [, ...stages] = outputsAfter(endsOfStages(strides), this.model.layers(), images);
    const map = stages.at(-1) as Tensor;
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.fc.forward(pooled), stages };
  }
}

export const mobileNetV1: ModelFamily = {
  names: ['mobilenet_v1'],
  summary: 'MobileNet for 224x224 images',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels }) => new MobileNetV1(numClasses, inChannels),
};
