/**
 * Result types of an analysis, as plain JSON values. Shares and accuracies are 0..1; null means that a value is not
 * defined.
 */

import type { SplitName } from '../data/dataset.js';

/** One bin of the reliability diagram: confidences (the largest softmax probability) in (low, high]. */
export interface CalibrationBin {
  low: number;
  high: number;
  count: number;
  /** Share of correct predictions in the bin; null if it is empty. */
  accuracy: number | null;
  /** Mean confidence in the bin; null if it is empty. */
  confidence: number | null;
}

/** Gap between confidence and accuracy of a network. */
export interface Calibration {
  /**
   * Expected calibration error (Guo et al., ICML 2017): the mean over images of | accuracy - confidence | of their bin.
   */
  error: number;
  /** 15 bins of equal width over 0..1. */
  bins: CalibrationBin[];
  /** Images of each class (by label) in each bin, [K][15]. */
  classCounts: number[][];
}

/** Results of one network. */
export interface NetworkRecord {
  /** Width of the penultimate feature. */
  featureChannels: number;
  /** Top-1 accuracy. */
  accuracy: number;
  /** Images by label (row) and prediction (column), [K][K]; a row sums to the images of its class. */
  confusion: number[][];
  calibration: Calibration;
}

/** Student and teacher on the images of one class, or on all of them. */
export interface Likeness {
  count: number;
  /**
   * Share of images for which both predict the same class, right or wrong. This and the values below are null without
   * images.
   */
  agreement: number | null;
  /** KL(teacher || student) of their softmax distributions at temperature 1, in nats, mean over images. */
  klDivergence: number | null;
  /** Squared difference of the student's own logits and the teacher's, mean over images and classes. */
  logitError: number | null;
  /**
   * Squared difference of the penultimate features, mean over images and coordinates; null where their widths differ.
   */
  featureError: number | null;
}

/** Student and teacher on the images of one class. */
export interface ClassRecord extends Likeness {
  name: string;
  /** Share of right predictions among the images of the class; null without images. */
  teacherAccuracy: number | null;
  studentAccuracy: number | null;
}

/**
 * How well the penultimate features separate classes: k-means clusters them into as many clusters as classes, and
 * normalized mutual information (arithmetic mean of both entropies) compares clusters with labels. 1 means the same
 * partition.
 */
export interface ClusterRecord {
  /** Seed of k-means. */
  seed: number;
  /** NMI of the teacher's clusters and the labels. */
  teacher: number;
  /** NMI of the student's clusters and the labels. */
  student: number;
  /** NMI of the teacher's and the student's clusters. */
  between: number;
}

/** Prediction of a network for an image. */
export interface Verdict {
  /** Number of the predicted class. */
  predicted: number;
  /** Its softmax probability, 0..1. */
  confidence: number;
}

/** An example image with the predictions of both networks. */
export interface ExampleRecord {
  /** Number of the image in its split. */
  sample: number;
  /** Number of its class. */
  label: number;
  student: Verdict;
  teacher: Verdict;
  /** `data:image/webp;base64,...`: lossless up to 96 pixels a side, larger images downscaled. */
  image: string;
}

/** Result of {@link analyze}: plain values, ready for JSON. */
export interface AnalysisRecord {
  /** The data set, as `kind:path`. */
  data: string;
  split: SplitName;
  overall: Likeness;
  /**
   * Linear centered kernel alignment of the penultimate features over all images (Kornblith et al., ICML 2019), 0..1.
   * null if a network returns the same feature for every image.
   */
  cka: number | null;
  nmi: ClusterRecord;
  teacher: NetworkRecord;
  student: NetworkRecord;
  /** In the order of the data set. */
  classes: ClassRecord[];
  /**
   * For the ten worst and ten best classes, or all if there are no more: up to three images that the student gets wrong
   * and three that it gets right, each with its highest confidence. Empty if the images are neither gray nor RGB.
   */
  examples: ExampleRecord[];
}
