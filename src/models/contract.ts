import type { Features } from '../flow.js';
import { Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** A classifier that also hands out what distillation looks at. */
export abstract class Classifier extends Module {
  /** The width of the penultimate feature. */
  abstract readonly featureChannels: number;
  abstract readonly numClasses: number;

  /** Logits with the features that they were made from. images: [N, C, H, W]. */
  abstract forwardFeatures(images: Tensor): Features;

  /** Logits [N, K]. */
  forward(images: Tensor): Tensor {
    return this.forwardFeatures(images).logits;
  }
}

export interface ModelOptions {
  numClasses: number;
  /** Channels of the images. Default 3. */
  inChannels?: number;
}

/** A family of architectures: one file. */
export interface ModelFamily {
  /** Every name that it makes. */
  names: readonly string[];
  summary: string;
  create(name: string, options: Required<ModelOptions>): Classifier;
}
