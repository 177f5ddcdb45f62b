/** What a data set is: images as bytes in memory, and what a model must know of them. */

/** One split. */
export interface ImageSet {
  /** uint8 [N, C, H, W] in row-major order. */
  images: Uint8Array;
  /** Class numbers, one an image. */
  labels: Uint8Array;
}

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
  /** The usual augmentation in training: random crop out of `pad` zeros around the image, random flip. */
  augment: { pad: number; flip: boolean };
  train: ImageSet;
  test: ImageSet;
}

/** A kind of data set: what stands before the colon. One file each in datasets/. */
export interface DatasetKind {
  kind: string;
  /** How to write it, as in `fashion-mnist:DIR`. */
  usage: string;
  summary: string;
  /** `path` is what stands after the colon. Throws DataError where the data are missing or not what they should be. */
  open(path: string): Promise<Dataset>;
}
