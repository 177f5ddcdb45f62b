/**
 * What an analysis finds, as plain values that JSON can hold. Shares and accuracies are 0..1; null stands for what is
 * not defined.
 */

import type { SplitName } from '../data/dataset.js';

/** One bin of the reliability diagram: confidences (the largest softmax probability) in (low, high]. */
export interface CalibrationBin {
  low: number;
  high: number;
  count: number;
  /** Share of right predictions in the bin; null where it is empty. */
  accuracy: number | null;
  /** Mean confidence in the bin; null where it is empty. */
  confidence: number | null;
}

/** How far confidence and accuracy of a network are apart. */
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

/** One network alone. */
export interface NetworkRecord {
  /** Width of the penultimate feature. */
  featureChannels: number;
  /** Top-1. */
  accuracy: number;
  /** Images by label (row) and prediction (column), [K][K]; a row sums to the images of its class. */
  confusion: number[][];
  calibration: Calibration;
}

/** Student and teacher on the images of one class, or on all of them. */
export interface Likeness {
  count: number;
  /**
   * Share of images for which both predict the same class, be it right or wrong; null without images, as all that
   * follow.
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
 * How well classes stand out in the penultimate features: they are clustered by k-means into as many clusters as there
 * are classes, and normalized mutual information (arithmetic mean of both entropies) compares clusters with labels. 1:
 * they are the same partition.
 */
export interface ClusterRecord {
  /** Of k-means. */
  seed: number;
  /** Teacher's clusters and labels. */
  teacher: number;
  /** Student's clusters and labels. */
  student: number;
  /** Teacher's clusters and student's. */
  between: number;
}

/** What a network says of an image. */
export interface Verdict {
  /** Number of the class that it finds. */
  predicted: number;
  /** Its softmax probability, 0..1. */
  confidence: number;
}

/** An image to look at, with what both networks say of it. */
export interface ExampleRecord {
  /** Number of the image in its split. */
  sample: number;
  /** Number of its class. */
  label: number;
  student: Verdict;
  teacher: Verdict;
  /** `data:image/webp;base64,...`: lossless up to 96 pixels a side, and made smaller beyond. */
  image: string;
}

/** What {@link analyze} finds: numbers only, ready for JSON. */
export interface AnalysisRecord {
  /** The data set, as `kind:path`. */
  data: string;
  split: SplitName;
  overall: Likeness;
  /**
   * Linear centered kernel alignment of the penultimate features over all images (Kornblith et al., ICML 2019), 0..1.
   * null where a network gives every image the same feature.
   */
  cka: number | null;
  nmi: ClusterRecord;
  teacher: NetworkRecord;
  student: NetworkRecord;
  /** In the order of the data set. */
  classes: ClassRecord[];
  /**
   * Of the ten worst classes and the ten best, or of all where they are no more: up to three images that the student is
   * wrong about and three that it is right about, those of which it is surest. None where images are neither gray nor
   * RGB.
   */
  examples: ExampleRecord[];
}
