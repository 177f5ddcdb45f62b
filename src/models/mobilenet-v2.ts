import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, Dropout, functional as F, Linear, Module, ReLU6, type Sequential } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, convBn, endsOfStages, initConvolutions, initLinears, outputsAfter } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const activation = () => new ReLU6();

class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly residual: boolean;

  constructor(from: number, to: number, stride: number, expansion: number) {
    super();
    const inner = from * expansion;
    this.residual = stride === 1 && from === to;
    this.conv = new Chain(
      ...(expansion === 1 ? [] : [convBn(from, inner, 1, { activation })]),
      convBn(inner, inner, 3, { stride, groups: inner, activation }),
      new Conv2d(inner, to, 1, { bias: false }),
      new BatchNorm2d(to),
    );
  }

  forward(x: Tensor): Tensor {
    const out = this.conv.forward(x);
    return this.residual ? x.add(out) : out;
  }
}

/** For each group of equal blocks: expansion, channels, blocks, stride of the first. */
const settings = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;
const blocks = settings.flatMap(([expansion, to, count, stride]) =>
  Array.from({ length: count }, (_, i) => ({ expansion, to, stride: i ? 1 : stride })),
);
const strides = [2, ...blocks.map(({ stride }) => stride)];

/**
 * MobileNetV2 (Sandler et al. 2018) with torchvision's names and initial weights. `map` is the output of the last 1x1
 * convolution, 1280 channels; `stages` are the outputs at 1/4 to 1/32 of the size; `pooled` is taken before the
 * dropout. Any image size.
 */
export class MobileNetV2 extends Classifier {
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly featureChannels = 1280;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    this.features = new Chain(
      convBn(inChannels, 32, 3, { stride: 2, activation }),
      ...blocks.map(
        ({ expansion, to, stride }, i) => new InvertedResidual(blocks[i - 1]?.to ?? 32, to, stride, expansion),
      ),
      convBn(320, this.featureChannels, 1, { activation }),
    );
    this.classifier = new Chain(new Dropout(0.2), new Linear(this.featureChannels, numClasses));
    initConvolutions(this);
    initLinears(this);
  }

  forwardFeatures(images: Tensor): Features {
    const layers = this.features.layers();
    const [, ...outputs] = outputsAfter([...endsOfStages(strides), layers.length - 1], layers, images);
    const map = outputs.at(-1) as Tensor;
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.classifier.forward(pooled), stages: outputs.slice(0, -1) };
  }
}

export const mobileNetV2: ModelFamily = {
  names: ['mobilenet_v2'],
  summary: 'MobileNetV2 for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels }) => new MobileNetV2(numClasses, inChannels),
};
