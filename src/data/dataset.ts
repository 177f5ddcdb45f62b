/** The types of a data set: images with class numbers, and what a model needs to know about them. */
import type { z } from '../options.js';
import type { CenterView } from './crop.js';
import type { RemoteSettings } from './remote/options.js';

/**
 * Class numbers, one per sample. {@link labelsOf} chooses Uint16Array or Int32Array for more than 256 classes; readers
 * only index into it.
 */
export type Labels = Uint8Array | Uint16Array | Int32Array;

interface Samples {
  labels: Labels;
  /**
   * The image of each sample: sample i is image `rows[i]`. Absent if sample i is image i. Views depend on the image's
   * number, so an image looks the same in a subset as in the whole set.
   */
  rows?: Int32Array;
}

/** A split of images of one size, in memory. */
export interface ImageSet extends Samples {
  /** uint8 [N, C, H, W] in row-major order. */
  images: Uint8Array;
}

/** A split of images of one size, in a file that is mapped into memory when a loader opens it. */
export interface MappedSet extends Samples {
  file: string;
  /** Byte offset of the pixels, uint8 [count, C, H, W]. */
  offset: number;
  /** Number of images at `offset`. */
  count: number;
}

/** A split of JPEG, PNG or WebP files of any size, which are decoded on demand. */
export interface EncodedSet extends Samples {
  /** Reads the encoded bytes of an image. */
  read(image: number): Promise<Uint8Array>;
  /** The name of an image in error messages: its file. */
  nameOf(image: number): string;
  /**
   * The number of the shard that holds an image, for sets stored as shards: processes that share the data receive whole
   * shards.
   */
  shardOf?(image: number): number;
  /** Starts reading images that will be requested soon, if reading is slow. */
  expect?(images: readonly number[]): void;
  /** Cancels images announced to {@link expect} that will not be requested. */
  forget?(images: readonly number[]): void;
}

/** One split. */
export type Split = ImageSet | MappedSet | EncodedSet;
/** The splits of a data set; `validation` exists only if images were held out. */
export type SplitName = 'train' | 'validation' | 'test';

/** A data set: names of the classes, the size and statistics of its images, and its splits. */
export interface Dataset {
  /** The source as the user wrote it, `kind:path`. */
  source: string;
  classes: readonly string[];
  channels: number;
  height: number;
  width: number;
  /** Mean and standard deviation of each channel, for pixels in 0..1. */
  mean: readonly number[];
  std: readonly number[];
  /**
   * The default augmentation in training: a random flip, and a random crop after padding with `pad` zeros. Encoded
   * images are instead cropped at random and resized.
   */
  augment: { pad: number; flip: boolean };
  /** How photos were resized and cropped to these images; absent if the images are not stored views of photos. */
  view?: CenterView;
  /** Counts of skipped files by kind, such as `3 .bmp, 2 hidden`; absent if none were skipped. */
  skipped?: string;
  /** Notices for the user about how the images are read. */
  notices?: readonly string[];
  train: Split;
  /** The part of the training images that {@link holdOut} set aside. */
  validation?: Split;
  test: Split;
}

/** A kind of data set, named by the part of the source before the colon. Each kind is one file in datasets/. */
export interface DatasetKind {
  kind: string;
  /** The syntax shown to users, such as `fashion-mnist:DIR`. */
  usage: string;
  summary: string;
  /** Options that may follow the path, such as `?size=96`. */
  options?: z.ZodObject;
  /** Whether the path may be a URL, as in `shards:https://host/...`. */
  remote?: boolean;
  /**
   * Opens `path`, the part after the colon; `settings` control how remote files are read. Throws DataError if the data
   * are missing or invalid.
   */
  open(path: string, settings: RemoteSettings, onProgress?: (done: number, all: number) => void): Promise<Dataset>;
}

/** ImageNet's mean and standard deviation per channel, the usual normalization for networks trained on photos. */
export const imagenetStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** The largest number of classes; a larger class number means a damaged file. */
export const mostClasses = 2 ** 20;

/** Generates class names for data sets that have no file of names. */
export const numberedClasses = (count: number): string[] => Array.from({ length: count }, (_, i) => `class ${i}`);

/** Copies class numbers into the smallest integer array that can hold `classes` classes. */
export function labelsOf(numbers: ArrayLike<number>, classes: number): Labels {
  const kind = classes <= 2 ** 8 ? Uint8Array : classes <= 2 ** 16 ? Uint16Array : Int32Array;
  return kind.from(numbers);
}
