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

/** What an architecture is made for. */
export interface ModelOptions {
  numClasses: number;
  /** Channels of the images. Default 3. */
  inChannels?: number;
  /**
   * Height and width of the images, for architectures that are made for one size (vision transformers). Default: the
   * family's.
   */
  imageSize?: number;
}

/** A family of architectures: one file. */
export interface ModelFamily {
  /** The names that are listed. */
  names: readonly string[];
  /** Further names that it makes. */
  pattern?: RegExp;
  summary: string;
  /** Height and width of the images that it was published for. */
  imageSize: number;
  /** Classes of the data set that it was published for. */
  numClasses: number;
  create(name: string, options: Required<ModelOptions>): Classifier;
}

/** What {@link describe} tells of an architecture, for the images and classes that it was published for. */
export interface ModelDescription {
  name: string;
  summary: string;
  /** [C, H, W] */
  input: [number, number, number];
  numClasses: number;
  parameters: number;
  /** Of one image; a multiplication and an addition count two. */
  flops: number;
  /** The width of the penultimate feature. */
  featureChannels: number;
}
