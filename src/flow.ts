/** The values that travel, in the order in which they do: dataset -> loader -> forward -> terms -> records. */
import type { Tensor } from './tensor/index.js';

/** What a loader hands out. */
export interface Batch {
  /** float32 [N, C, H, W], normalized, channels_last. */
  images: Tensor;
  /** int64 [N], class numbers; or where images were mixed float32 [N, K], probabilities. */
  labels: Tensor;
  /** int64 [N], which samples of the data set these are. */
  indices: Tensor;
  /** Which views of which images: with the seed, they decide every pixel. */
  views: Views;
}

/** Which views of which images a batch shows. */
export interface Views {
  /** The number of the view: the epoch, or its place in the cycle where a run has a fixed number of views. */
  number: number;
  /** The numbers of the images. */
  images: readonly number[];
  /**
   * The number of each view and its image on the device, int64 [N] each, of batches that the device makes by itself;
   * then only these say anything.
   */
  onDevice?: { numbers: Tensor; images: Tensor };
}

/** What a network makes of a batch. */
export interface Features {
  /** The penultimate feature h, [N, C]: the input of the classifier. */
  pooled: Tensor;
  /** z, [N, K]. */
  logits: Tensor;
  /** The last feature map before pooling, [N, C', H, W], where there is one. */
  map?: Tensor;
  /**
   * The output of each stage from the first to the last, [N, C, H, W] each; methods that compare inner maps look at
   * them.
   */
  stages: Tensor[];
}

/** Of one image: the sizes of {@link Features} without N. */
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
 * A number, or a function of the epoch, counted from 1: then a step that was captured in one epoch serves in the others
 * as well.
 */
export type Weight = number | ((epoch: number) => number);

/** One part of a loss: a scalar and the weight with which it enters the sum. */
export interface Term {
  weight: Weight;
  value: Tensor;
}

/** The named terms of a loss, each with its weight. */
export type Terms = Record<string, Term>;

/** How well a model does on a split. */
export interface Accuracy {
  /** Percent. */
  top1: number;
  /** Percent. */
  top5: number;
  /** Mean cross-entropy. */
  loss: number;
  /** Samples that were counted. */
  count: number;
  /** Samples whose logits hold NaN or Inf, which count as wrong; absent where there are none. */
  nonFinite?: number;
}

/** What is recorded of an epoch. */
export interface EpochRecord {
  epoch: number;
  epochs: number;
  lr: number;
  /** Mean of the weighted sum over the epoch. */
  loss: number;
  /** Mean of each term over the epoch, unweighted. */
  terms: Record<string, number>;
  /**
   * Percent of the training images that the student was right about when they were seen: augmented, and while it
   * changed. Absent where images are mixed, and where the student predicts through another network than its own
   * classifier.
   */
  trainTop1?: number;
  /** Of the held-out training images, where there are some and the epoch was evaluated. */
  validation?: Accuracy;
  /** Absent where the epoch was not evaluated. */
  test?: Accuracy;
  imagesPerSecond: number;
  seconds: number;
}
