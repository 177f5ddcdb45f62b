/** The values that travel, in the order in which they do: dataset -> loader -> forward -> terms -> records. */
import type { Tensor } from './tensor/index.js';

/** What a loader hands out. */
export interface Batch {
  /** float32 [N, C, H, W], normalized, channels_last. */
  images: Tensor;
  /** int64 [N], class numbers. */
  labels: Tensor;
  /** int64 [N], which samples of the data set these are. */
  indices: Tensor;
}

/** What a student makes of a batch. */
export interface StudentForward {
  /** The last feature map, [N, C_S, H', W']. */
  map: Tensor;
  /** The penultimate feature h_S, [N, C_S]. */
  pooled: Tensor;
  /** z_S, [N, K]. */
  logits: Tensor;
  /** The output of each stage, from the first to `map`. */
  stages: Tensor[];
}

/** What a teacher makes of a batch; nothing of it carries a gradient. */
export interface TeacherForward {
  /** The penultimate feature h_T, [N, C_T]. */
  pooled: Tensor;
  /** z_T = W_T h_T + b_T, [N, K]. */
  logits: Tensor;
}

/** One part of a loss: a scalar and the weight with which it enters the sum. */
export interface Term {
  weight: number;
  value: Tensor;
}

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
}

export interface EpochRecord {
  epoch: number;
  epochs: number;
  lr: number;
  /** Mean of the weighted sum over the epoch. */
  loss: number;
  /** Mean of each term over the epoch, unweighted. */
  terms: Record<string, number>;
  test: Accuracy;
  imagesPerSecond: number;
  seconds: number;
}
