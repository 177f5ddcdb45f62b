import type { Features } from '../flow.js';
import { Dropout, functional as F, init, Linear, Module, type Sequential, SiLU } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import {
  Chain,
  convBn,
  endsOfStages,
  initConvolutions,
  outputsAfter,
  SqueezeExcitation,
  StochasticDepth,
} from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const activation = () => new SiLU();

interface Setting {
  expansion: number;
  kernel: number;
  stride: number;
  from: number;
  to: number;
}

/** Mobile inverted bottleneck with squeeze and excitation. */
class MBConv extends Module {
  readonly block: Sequential;
  readonly stochasticDepth: StochasticDepth;
  readonly residual: boolean;

  constructor({ expansion, kernel, stride, from, to }: Setting, dropProbability: number) {
    super();
    const inner = from * expansion;
    this.residual = stride === 1 && from === to;
    this.block = new Chain(
      ...(expansion === 1 ? [] : [convBn(from, inner, 1, { activation })]),
      convBn(inner, inner, kernel, { stride, groups: inner, activation }),
      new SqueezeExcitation(inner, Math.max(1, from / 4), torch.silu, torch.sigmoid),
      convBn(inner, to, 1, { activation: null }),
    );
    this.stochasticDepth = new StochasticDepth(dropProbability);
  }

  forward(x: Tensor): Tensor {
    const out = this.block.forward(x);
    return this.residual ? x.add(this.stochasticDepth.forward(out)) : out;
  }
}

/** For each stage: expansion, kernel, stride of the first block, input and output channels, blocks. */
const stages = [
  [1, 3, 1, 32, 16, 1],
  [6, 3, 2, 16, 24, 2],
  [6, 5, 2, 24, 40, 2],
  [6, 3, 2, 40, 80, 3],
  [6, 5, 1, 80, 112, 3],
  [6, 5, 2, 112, 192, 4],
  [6, 3, 1, 192, 320, 1],
] as const;
const total = stages.reduce((sum, [, , , , , count]) => sum + count, 0);
const ends = [...endsOfStages([2, ...stages.map(([, , stride]) => stride)]), stages.length + 1];

/**
 * EfficientNet-B0 (Tan and Le 2019) with torchvision's names and initial weights. `map` is the output of the last 1x1
 * convolution, 1280 channels; `stages` are the outputs at 1/4 to 1/32 of the size; `pooled` is taken before the
 * dropout. Any image size.
 */
export class EfficientNet extends Classifier {
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly featureChannels = 1280;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    let made = 0;
    const stage = ([expansion, kernel, stride, from, to, count]: (typeof stages)[number]) =>
      new Chain(
        ...Array.from({ length: count }, (_, i) => {
          const setting = { expansion, kernel, stride: i ? 1 : stride, from: i ? to : from, to };
          return new MBConv(setting, (0.2 * made++) / total);
        }),
      );
    this.features = new Chain(
      convBn(inChannels, 32, 3, { stride: 2, activation }),
      ...stages.map(stage),
      convBn(320, this.featureChannels, 1, { activation }),
    );
    const linear = new Linear(this.featureChannels, numClasses);
    this.classifier = new Chain(new Dropout(0.2), linear);
    initConvolutions(this);
    init.uniform_(linear.weight, -1 / Math.sqrt(numClasses), 1 / Math.sqrt(numClasses));
    if (linear.bias) init.zeros_(linear.bias);
  }

  forwardFeatures(images: Tensor): Features {
    const [, ...outputs] = outputsAfter(ends, this.features.layers(), images);
    const map = outputs.at(-1) as Tensor;
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.classifier.forward(pooled), stages: outputs.slice(0, -1) };
  }
}

export const efficientNets: ModelFamily = {
  names: ['efficientnet_b0'],
  summary: 'EfficientNet for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels }) => new EfficientNet(numClasses, inChannels),
};
