import type { Features } from '../flow.js';
import { Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** A classifier that also returns the features that distillation uses. */
export abstract class Classifier extends Module {
  /** The width of the penultimate feature. */
  abstract readonly featureChannels: number;
  abstract readonly numClasses: number;

  /** Returns logits with the features that they were made from. images: [N, C, H, W]. */
  abstract forwardFeatures(images: Tensor): Features;

  /** Returns logits [N, K] for images [N, C, H, W]. */
  forward(images: Tensor): Tensor {
    return this.forwardFeatures(images).logits;
  }
}

/** The options that determine the shape of a network. */
export interface ModelOptions {
  numClasses: number;
  /** Channels of the images. Default 3. */
  inChannels?: number;
  /**
   * Height and width of the images, for architectures that are built for one size (vision transformers). Default: the
   * family's size.
   */
  imageSize?: number;
}

/** A family of architectures: one file. */
export interface ModelFamily {
  /** The names that `list()` returns. */
  names: readonly string[];
  /** A pattern of further names that the family accepts. */
  pattern?: RegExp;
  summary: string;
  /** Height and width of the images that the architecture was published for. */
  imageSize: number;
  /** Number of classes of the data set that it was published for. */
  numClasses: number;
  create(name: string, options: Required<ModelOptions>): Classifier;
}

/** The result of {@link describe}, for the images and classes that an architecture was published for. */
export interface ModelDescription {
  name: string;
  summary: string;
  /** [C, H, W] */
  input: [number, number, number];
  numClasses: number;
  parameters: number;
  /** For one image; a multiplication and an addition count as two operations. */
  flops: number;
  /** The width of the penultimate feature. */
  featureChannels: number;
}
