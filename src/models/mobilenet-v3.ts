import type { Features } from '../flow.js';
import { Dropout, functional as F, Hardswish, Linear, Module, ReLU, type Sequential } from '../nn/index.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import {
  Chain,
  convBn,
  divisible,
  endsOfStages,
  initConvolutions,
  initLinears,
  outputsAfter,
  SqueezeExcitation,
} from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

const norm = { eps: 0.001, momentum: 0.01 };
const hardswish = () => new Hardswish();

interface Setting {
  kernel: number;
  inner: number;
  to: number;
  squeeze: boolean;
  smooth: boolean;
  stride: number;
}

/** @param smooth hardswish instead of ReLU */
const setting = (
  kernel: number,
  inner: number,
  to: number,
  squeeze: boolean,
  smooth: boolean,
  stride = 1,
): Setting => ({
  kernel,
  inner,
  to,
  squeeze,
  smooth,
  stride,
});

class InvertedResidual extends Module {
  readonly block: Sequential;
  readonly residual: boolean;

  constructor(from: number, { kernel, inner, to, squeeze, smooth, stride }: Setting) {
    super();
    const activation = smooth ? hardswish : () => new ReLU();
    this.residual = stride === 1 && from === to;
    this.block = new Chain(
      ...(from === inner ? [] : [convBn(from, inner, 1, { activation, norm })]),
      convBn(inner, inner, kernel, { stride, groups: inner, activation, norm }),
      ...(squeeze ? [new SqueezeExcitation(inner, divisible(inner / 4), torch.relu, torch.hardsigmoid)] : []),
      convBn(inner, to, 1, { activation: null, norm }),
    );
  }

  forward(x: Tensor): Tensor {
    const out = this.block.forward(x);
    return this.residual ? x.add(out) : out;
  }
}

/**
 * MobileNetV3 (Howard et al. 2019) with torchvision's names and initial weights. `map` is the output of the last 1x1
 * convolution; `pooled` is the input of the second of the classifier's two linear layers, before the dropout. Any image
 * size.
 */
export class MobileNetV3 extends Classifier {
  readonly features: Sequential;
  readonly classifier: Sequential;
  private readonly ends: number[];

  constructor(
    settings: readonly Setting[],
    readonly featureChannels: number,
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    const last = settings.at(-1) as Setting;
    this.features = new Chain(
      convBn(inChannels, 16, 3, { stride: 2, activation: hardswish, norm }),
      ...settings.map((each, i) => new InvertedResidual(settings[i - 1]?.to ?? 16, each)),
      convBn(last.to, 6 * last.to, 1, { activation: hardswish, norm }),
    );
    this.classifier = new Chain(
      new Linear(6 * last.to, featureChannels),
      new Hardswish(),
      new Dropout(0.2),
      new Linear(featureChannels, numClasses),
    );
    this.ends = [...endsOfStages([2, ...settings.map(({ stride }) => stride)]), settings.length + 1];
    initConvolutions(this);
    initLinears(this);
  }

  forwardFeatures(images: Tensor): Features {
    const [, ...outputs] = outputsAfter(this.ends, this.features.layers(), images);
    const map = outputs.at(-1) as Tensor;
    const [first, activation, dropout, classifier] = this.classifier.layers() as [Linear, Hardswish, Dropout, Linear];
    const pooled = activation.forward(first.forward(F.globalAvgPool(map)));
    return { map, pooled, logits: classifier.forward(dropout.forward(pooled)), stages: outputs.slice(0, -1) };
  }
}

const small = [
  setting(3, 16, 16, true, false, 2),
  setting(3, 72, 24, false, false, 2),
  setting(3, 88, 24, false, false),
  setting(5, 96, 40, true, true, 2),
  setting(5, 240, 40, true, true),
  setting(5, 240, 40, true, true),
  setting(5, 120, 48, true, true),
  setting(5, 144, 48, true, true),
  setting(5, 288, 96, true, true, 2),
  setting(5, 576, 96, true, true),
  setting(5, 576, 96, true, true),
];
const large = [
  setting(3, 16, 16, false, false),
  setting(3, 64, 24, false, false, 2),
  setting(3, 72, 24, false, false),
  setting(5, 72, 40, true, false, 2),
  setting(5, 120, 40, true, false),
  setting(5, 120, 40, true, false),
  setting(3, 240, 80, false, true, 2),
  setting(3, 200, 80, false, true),
  setting(3, 184, 80, false, true),
  setting(3, 184, 80, false, true),
  setting(3, 480, 112, true, true),
  setting(3, 672, 112, true, true),
  setting(5, 672, 160, true, true, 2),
  setting(5, 960, 160, true, true),
  setting(5, 960, 160, true, true),
];

export const mobileNetsV3: ModelFamily = {
  names: ['mobilenet_v3_small', 'mobilenet_v3_large'],
  summary: 'MobileNetV3 for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create(name, { numClasses, inChannels }) {
    const [settings, width] = name === 'mobilenet_v3_small' ? ([small, 1024] as const) : ([large, 1280] as const);
    return new MobileNetV3(settings, width, numClasses, inChannels);
  },
};
