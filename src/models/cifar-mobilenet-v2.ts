import type { Features } from '../flow.js';
import { BatchNorm2d, Conv2d, functional as F, Linear, Module, ReLU, type Sequential } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, convBn, initConvolutions, initLinears, outputsAfter } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly residual: boolean;

  constructor(from: number, to: number, stride: number, expansion: number) {
    super();
    const inner = from * expansion;
    this.residual = stride === 1 && from === to;
    this.conv = new Chain(
      new Conv2d(from, inner, 1, { bias: false }),
      new BatchNorm2d(inner),
      new ReLU(),
      new Conv2d(inner, inner, 3, { stride, padding: 1, groups: inner, bias: false }),
      new BatchNorm2d(inner),
      new ReLU(),
      new Conv2d(inner, to, 1, { bias: false }),
      new BatchNorm2d(to),
    );
  }

  forward(x: Tensor): Tensor {
    const out = this.conv.forward(x);
    return this.residual ? x.add(out) : out;
  }
}

/** For each stage: expansion, channels at full width, blocks, stride of the first. */
const settings = [
  [1, 16, 1, 1],
  [6, 24, 2, 1],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2 of half width for small images as the CRD benchmark (RepDistiller) defines it: ReLU instead of ReLU6, and
 * an expansion in every block. `map` is the output of the last 1x1 convolution, 1280 channels. Any image size.
 */
export class CifarMobileNetV2 extends Classifier {
  readonly conv1: Sequential;
  readonly blocks: Sequential;
  readonly conv2: Sequential;
  readonly classifier: Sequential;
  readonly featureChannels = 1280;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const width = 0.5;
    let from = 32 * width;
    this.conv1 = convBn(inChannels, from, 3, { stride: 2 });
    this.blocks = new Chain(
      ...settings.map(([expansion, channels, count, stride]) => {
        const [first, to] = [from, channels * width];
        from = to;
        return new Chain(
          ...Array.from(
            { length: count },
            (_, i) => new InvertedResidual(i ? to : first, to, i ? 1 : stride, expansion),
          ),
        );
      }),
    );
    this.conv2 = convBn(from, this.featureChannels, 1);
    this.classifier = new Chain(new Linear(this.featureChannels, numClasses));
    initConvolutions(this);
    initLinears(this);
  }

  forwardFeatures(images: Tensor): Features {
    const stages = outputsAfter([1, 2, 4, 6], this.blocks.layers(), this.conv1.forward(images));
    const map = this.conv2.forward(stages.at(-1) as Tensor);
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.classifier.forward(pooled), stages };
  }
}

export const cifarMobileNetV2: ModelFamily = {
  names: ['MobileNetV2'],
  summary: 'MobileNetV2 of half width for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create: (_name, { numClasses, inChannels }) => new CifarMobileNetV2(numClasses, inChannels),
};
