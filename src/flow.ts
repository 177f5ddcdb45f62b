/** The types of the data flow, in its order: dataset -> loader -> forward -> terms -> records. */
import type { Tensor } from './tensor/index.js';

/** A batch that a loader returns. */
export interface Batch {
  /** float32 [N, C, H, W], normalized, channels_last; bfloat16 if all networks round them to it first. */
  images: Tensor;
  /** Class numbers, int64 [N]; with mixed images probabilities, float32 [N, K]. */
  labels: Tensor;
  /** Indices of the samples in the data set, int64 [N]. */
  indices: Tensor;
  /** The views and images; together with the seed they determine every pixel. */
  views: Views;
}

/** The views and images in a batch. */
export interface Views {
  /** The number of the view: the epoch or, if a run has a fixed number of views, its place in the cycle. */
  number: number;
  /** The numbers of the images. */
  images: readonly number[];
  /**
   * Numbers of the views and of their images on the device, int64 [N] each, for batches that the device makes itself;
   * `number` and `images` are then meaningless.
   */
  onDevice?: { numbers: Tensor; images: Tensor };
}

/** The outputs of a network for a batch. */
export interface Features {
  /** The penultimate feature h, [N, C]: the input of the classifier. */
  pooled: Tensor;
  /** The logits z, [N, K]. */
  logits: Tensor;
  /** The last feature map before pooling, [N, C', H, W]; absent if the network has none. */
  map?: Tensor;
  /** The output of each stage from the first to the last, [N, C, H, W] each, for methods that compare inner maps. */
  stages: Tensor[];
}

/** The sizes of {@link Features} for one image, without N. */
export interface FeatureShapes {
  /** C */
  pooled: number;
  /** [C', H, W] */
  map?: number[];
  stages: number[][];
  /** Whether `pooled` is the average of `map`. */
  pooledIsMeanOfMap: boolean;
}

/**
 * A number, or a function of the epoch, counted from 1. With a function, a step captured in one epoch is also valid in
 * the others.
 */
export type Weight = number | ((epoch: number) => number);

/** One part of a loss: a scalar and the weight with which it enters the sum. */
export interface Term {
  weight: Weight;
  value: Tensor;
}

/** The named terms of a loss, each with its weight. */
export type Terms = Record<string, Term>;

/** The accuracy and loss of a model on a split. */
export interface Accuracy {
  /** Percent. */
  top1: number;
  /** Percent. */
  top5: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Number of samples evaluated. */
  count: number;
  /** Number of samples whose logits hold NaN or Inf, which count as wrong; absent if there are none. */
  nonFinite?: number;
}

/** The record of an epoch. */
export interface EpochRecord {
  epoch: number;
  epochs: number;
  lr: number;
  /** Mean of the total loss (the weighted sum of the terms) over the epoch. */
  loss: number;
  /** Mean of each term over the epoch, unweighted. */
  terms: Record<string, number>;
  /**
   * Training top-1 accuracy in percent, on the augmented images and while the student changed. Absent if images are
   * mixed, or if the student predicts through another network than its own classifier.
   */
  trainTop1?: number;
  /** Accuracy on held-out training images; absent if there are none or the epoch was not evaluated. */
  validation?: Accuracy;
  /** Absent if the epoch was not evaluated. */
  test?: Accuracy;
  imagesPerSecond: number;
  seconds: number;
}
