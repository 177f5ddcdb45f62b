import type { Features } from '../flow.js';
import {
  BatchNorm2d,
  Conv2d,
  functional as F,
  type Layer,
  Linear,
  MaxPool2d,
  ReLU,
  type Sequential,
} from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { Chain, initConvolutions, initLinears } from './blocks.js';
import { Classifier, type ModelFamily } from './contract.js';

/** Builds convolutions with normalization and ReLU in between; the caller applies the last ReLU. */
function block(from: number, to: number, convolutions: number): Sequential {
  const layers = Array.from({ length: convolutions }, (_, i): Layer[] => [
    new Conv2d(i ? to : from, to, 3, { padding: 1 }),
    new BatchNorm2d(to),
    new ReLU(),
  ]).flat();
  return new Chain(...layers.slice(0, -1));
}

/**
 * VGG with batch normalization for small images as the CRD benchmark (RepDistiller) defines it: five blocks, one linear
 * layer after the mean of the last map. It halves the size three times, and a fourth time for 64x64 images. `stages`
 * are blocks 1 to 4 after their ReLU, which the benchmark compares.
 */
export class CifarVGG extends Classifier {
  readonly block0: Sequential;
  readonly block1: Sequential;
  readonly block2: Sequential;
  readonly block3: Sequential;
  readonly block4: Sequential;
  readonly classifier: Linear;
  readonly featureChannels = 512;
  private readonly pool = new MaxPool2d(2);

  /** @param convolutions of each block */
  constructor(
    convolutions: readonly [number, number, number, number, number],
    readonly numClasses: number,
    inChannels: number,
  ) {
    super();
    this.block0 = block(inChannels, 64, convolutions[0]);
    this.block1 = block(64, 128, convolutions[1]);
    this.block2 = block(128, 256, convolutions[2]);
    this.block3 = block(256, 512, convolutions[3]);
    this.block4 = block(512, 512, convolutions[4]);
    this.classifier = new Linear(512, numClasses);
    initConvolutions(this);
    initLinears(this);
  }

  forwardFeatures(images: Tensor): Features {
    const { pool } = this;
    const stem = F.relu(this.block0.forward(images));
    const first = F.relu(this.block1.forward(pool.forward(stem)));
    const second = F.relu(this.block2.forward(pool.forward(first)));
    const third = F.relu(this.block3.forward(pool.forward(second)));
    const map = F.relu(this.block4.forward(images.shape[2] === 64 ? pool.forward(third) : third));
    const pooled = F.globalAvgPool(map);
    return { map, pooled, logits: this.classifier.forward(pooled), stages: [first, second, third, map] };
  }
}

const convolutions = {
  vgg8: [1, 1, 1, 1, 1],
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
} as const;

export const cifarVggs: ModelFamily = {
  names: Object.keys(convolutions),
  summary: 'VGG with batch normalization for 32x32 images (CRD benchmark)',
  imageSize: 32,
  numClasses: 100,
  create(name, { numClasses, inChannels }) {
    return new CifarVGG(convolutions[name as keyof typeof convolutions], numClasses, inChannels);
  },
};
