/** What a data set is: images with class numbers, and what a model must know of them. */
import type { z } from '../options.js';
import type { CenterView } from './crop.js';
import type { RemoteSettings } from './remote/options.js';

/**
 * Class numbers, one a sample. Uint16Array and Int32Array hold those of more than 256 classes; {@link labelsOf}
 * chooses, and whoever reads labels reads them by index.
 */
export type Labels = Uint8Array | Uint16Array | Int32Array;

interface Samples {
  labels: Labels;
  /**
   * Which images the samples are, where they are not all in their order: sample i is image `rows[i]`. A view is a
   * function of the image's number, so that a part of a set shows its images as the whole does.
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
  /** Where uint8 [count, C, H, W] begins. */
  offset: number;
  /** How many images lie there. */
  count: number;
}

/** A split of JPEG, PNG or WebP files of any size, which are decoded as they are needed. */
export interface EncodedSet extends Samples {
  /** The encoded bytes of an image. */
  read(image: number): Promise<Uint8Array>;
  /** What errors call an image: its file. */
  nameOf(image: number): string;
  /**
   * The number of the shard that an image lies in, where many lie in one file: processes that share the data get whole
   * shards.
   */
  shardOf?(image: number): number;
  /** Begins to read images that will be asked for soon, where reading takes long. */
  expect?(images: readonly number[]): void;
  /** Gives up what was expected, and will not be asked for. */
  forget?(images: readonly number[]): void;
}

/** One split. */
export type Split = ImageSet | MappedSet | EncodedSet;
/** The parts of a data set; `validation` is there where images were held out. */
export type SplitName = 'train' | 'validation' | 'test';

/** A data set: names of the classes, the size and statistics of its images, and its splits. */
export interface Dataset {
  /** As the user named it, `kind:path`. */
  source: string;
  classes: readonly string[];
  channels: number;
  height: number;
  width: number;
  /** Per channel, in the scale 0..1. */
  mean: readonly number[];
  std: readonly number[];
  /**
   * The usual augmentation in training: random flip, and a random crop out of `pad` zeros around images of one size. Of
   * encoded images a random part is resized instead.
   */
  augment: { pad: number; flip: boolean };
  /** How photos became these images, where they were photos once and are not any more. */
  view?: CenterView;
  /** What lies next to the images and was skipped, by kind, as `3 .bmp, 2 hidden`; absent where there is nothing. */
  skipped?: string;
  /** What the user should know of how the images are read. */
  notices?: readonly string[];
  train: Split;
  /** A part of the training images that {@link holdOut} took out. */
  validation?: Split;
  test: Split;
}

/** A kind of data set: what stands before the colon. One file each in datasets/. */
export interface DatasetKind {
  kind: string;
  /** How to write it, as in `fashion-mnist:DIR`. */
  usage: string;
  summary: string;
  /** What may stand behind the path, as in `?size=96`. */
  options?: z.ZodObject;
  /** Whether the path may be an address, as in `shards:https://host/...`. */
  remote?: boolean;
  /**
   * `path` is what stands after the colon, `settings` how files on other machines are read. Throws DataError where the
   * data are missing or not what they should be.
   */
  open(path: string, settings: RemoteSettings, onProgress?: (done: number, all: number) => void): Promise<Dataset>;
}

/** Per channel, of ImageNet's training images: what networks for photos are usually fed with. */
export const imagenetStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** Classes that a data set may have; a class number beyond is taken for damage. */
export const mostClasses = 2 ** 20;

/** Names of classes where no file has them. */
export const numberedClasses = (count: number): string[] => Array.from({ length: count }, (_, i) => `class ${i}`);

/** The smallest array that holds the numbers of `classes` classes. */
export function labelsOf(numbers: ArrayLike<number>, classes: number): Labels {
  const kind = classes <= 2 ** 8 ? Uint8Array : classes <= 2 ** 16 ? Uint16Array : Int32Array;
  return kind.from(numbers);
}
