import type { Features } from '../flow.js';
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  functional as F,
  type Layer,
  Linear,
  MaxPool2d,
  ReLU,
  type Sequential,
} from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, initConvolutions, initLinears, outputsAfter } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

/** For each stage: channels and convolutions. A pooling layer ends each stage. */
const stages = [
  [64, 2],
  [128, 2],
  [256, 3],
  [512, 3],
  [512, 3],
] as const;
const lengths = stages.map(([, count]) => 3 * count + 1);
/** The layer number of the last ReLU of each stage. */
const lastReLUs = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, length) => sum + length, 0) - 2);
const lastPool = (lastReLUs.at(-1) as number) + 1;

/**
 * VGG-16 with batch normalization (Simonyan and Zisserman 2015), with torchvision's names and initial weights. `map` is
 * the output of the last max-pooling; it is pooled to 7x7 and passes two linear layers, after which `pooled` is taken,
 * before the dropout. `stages` are the inputs of the pooling layers. Images of at least 32x32.
 */
export class VGG extends Classifier {
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly featureChannels = 4096;

  constructor(
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    let from = inChannels;
    const layers = stages.flatMap(([to, count]): Layer[] => [
      ...Array.from({ length: count }, (): Layer[] => {
        const conv = new Conv2d(from, to, 3, { padding: 1 });
        from = to;
        return [conv, new BatchNorm2d(to), new ReLU()];
      }).flat(),
      new MaxPool2d(2),
    ]);
    this.features = new Chain(...layers);
    this.classifier = new Chain(
      new Linear(512 * 7 * 7, 4096),
      new ReLU(),
      new Dropout(0.5),
      new Linear(4096, 4096),
      new ReLU(),
      new Dropout(0.5),
      new Linear(4096, numClasses),
    );
    initConvolutions(this);
    initLinears(this);
  }

  forwardFeatures(images: Tensor): Features {
    const outputs = outputsAfter([...lastReLUs, lastPool], this.features.layers(), images);
    const map = outputs.at(-1) as Tensor;
    const layers = this.classifier.layers();
    const [pooled] = outputsAfter([4], layers.slice(0, 5), F.adaptiveAvgPool2d(map, [7, 7]).flatten(1)) as [Tensor];
    const [logits] = outputsAfter([1], layers.slice(5), pooled) as [Tensor];
    return { map, pooled, logits, stages: outputs.slice(0, -1) };
  }
}

export const vggs: ModelFamily = {
  names: ['vgg16_bn'],
  summary: 'VGG with batch normalization for 224x224 images (torchvision)',
  imageSize: 224,
  numClasses: 1000,
  create: (_name, { numClasses, inChannels }) => new VGG(numClasses, inChannels),
};
