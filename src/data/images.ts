/** The images of a split as float tensors, whatever their storage. */
import { DataError, messageOf } from '../errors.js';
import { MappedFile } from '../files/mapped.js';
import { callOverload, fromArray, keep, overloadOf, scope, type Tensor } from '../tensor/index.js';
import type { EffectiveAugmentOptions } from './augment/index.js';
import { perChannel } from './augment/rows.js';
import { randomResizedCrop } from './crop.js';
import type { Dataset, EncodedSet, Split } from './dataset.js';
import { decode } from './decode.js';
import { rowsOf } from './device-views.js';
import { SampleRandom, streams } from './philox.js';
import { ReadAhead } from './read-ahead.js';

/** The parameters of a view of images. */
export interface View {
  seed: number;
  epoch: number;
  /** Width of the zero padding before the crop. */
  pad: number;
  flip: boolean;
  /** Normalizes within the same operator; absent for images in 0..1. */
  normalize?: { mean: readonly number[]; std: readonly number[] };
}

export interface ImageSource {
  /** All images, uint8 [N, C, H, W], if they are stored on a device other than the CPU. */
  readonly resident?: Tensor | undefined;
  /** Drops batches made ahead, because another epoch begins. */
  restart(): void;
  /** Waits for the images of a step and of the `more` steps after it. */
  ready(step: number, more?: number): Promise<void>;
  /** Returns the image that a step waits for, and how many are missing; undefined if none is. */
  waitsFor(step: number): { image: number; missing: number } | undefined;
  /** Returns float32 [N, C, H, W], channels_last, on the CPU; `numbers` are those of the images of step `step`. */
  take(numbers: readonly number[], step: number, view: View): Tensor;
  /** Returns pixels, uint8 [N, C, H, W] on the CPU, of images (int64 [N]) that must be uploaded to a device. */
  pixels(numbers: Tensor, step: number): Tensor;
  dispose(): void;
}

export interface SourceSetup {
  data: Dataset;
  /** The device of the batches. */
  device: string;
  augment?: EffectiveAugmentOptions;
  seed: number;
  steps: number;
  workers: number;
  ahead: number;
  /** Returns the numbers of the images of a step in the epoch of `epoch()`. */
  imagesOf(step: number): readonly number[];
  epoch(): number;
}

export const isEncoded = (split: Split): split is EncodedSet => 'read' in split;

export function openImages(split: Split, setup: SourceSetup): ImageSource {
  if (isEncoded(split)) return new DecodedImages(split, setup);
  return new HeldImages(split, setup);
}

type HeldSplit = Exclude<Split, EncodedSet>;

/** Returns the pixels, uint8 [N, C, H, W], of a split in memory or in a mapped file. */
function pixelsOf(split: HeldSplit, mapped: MappedFile | undefined, { channels, height, width }: Dataset): Tensor {
  const size = channels * height * width;
  return scope(() => {
    if ('images' in split)
      return keep(fromArray(split.images, [Math.floor(split.images.length / size), channels, height, width]));
    const { tensor } = mapped as MappedFile;
    return keep(tensor.narrow(0, split.offset, split.count * size).view([split.count, channels, height, width]));
  });
}

function mapped(split: HeldSplit, { channels, height, width }: Dataset): MappedFile | undefined {
  if ('images' in split) return undefined;
  const length = split.offset + split.count * channels * height * width;
  try {
    return new MappedFile(split.file, { dtype: 'uint8', length });
  } catch (error) {
    throw new DataError(messageOf(error), { cause: error });
  }
}

/**
 * Images of one size, stored in memory, on a device, or in a mapped file. A mapped file stays off the device because it
 * is large.
 */
class HeldImages implements ImageSource {
  readonly #images: Tensor;
  readonly #isResident: boolean;
  readonly #file: MappedFile | undefined;

  constructor(split: HeldSplit, { data, device }: SourceSetup) {
    this.#isResident = device !== 'cpu' && 'images' in split;
    this.#file = mapped(split, data);
    const pixels = pixelsOf(split, this.#file, data);
    this.#images = this.#isResident ? scope(() => keep(pixels.to({ device }))) : pixels;
    if (this.#isResident) pixels.dispose();
  }

  get resident(): Tensor | undefined {
    return this.#isResident ? this.#images : undefined;
  }

  restart(): void {}

  async ready(): Promise<void> {}

  waitsFor(): undefined {}

  take(numbers: readonly number[], _step: number, { seed, epoch, pad, flip, normalize }: View): Tensor {
    const { mean, std } = normalize ?? asTheyAre(this.#images.shape[1] as number);
    const operator = overloadOf('srrl::normalized_views');
    return this.#read(
      (images) => callOverload(operator, [images, rowsOf(numbers), mean, std, pad, flip, seed, epoch]) as Tensor,
    );
  }

  pixels(numbers: Tensor): Tensor {
    return this.#read((images) => images.indexSelect(0, numbers));
  }

  #read(use: (images: Tensor) => Tensor): Tensor {
    return this.#file ? this.#file.read(() => use(this.#images)) : use(this.#images);
  }

  dispose(): void {
    this.#images.dispose();
    this.#file?.dispose();
  }
}

/** Images that are decoded ahead of their step. */
class DecodedImages implements ImageSource {
  readonly #ahead: ReadAhead;
  readonly #size: number;
  #disposed = false;

  constructor(split: EncodedSet, setup: SourceSetup) {
    const { data, augment, seed, steps, workers, ahead, imagesOf, epoch } = setup;
    if (data.height !== data.width)
      throw new DataError(`${data.source} decodes square images only, not ${data.width}x${data.height}.`);
    this.#size = data.height;
    const make = async (image: number, target: Uint8Array) => {
      const crop =
        augment && augment.crop !== 'none'
          ? (width: number, height: number) =>
              randomResizedCrop(new SampleRandom(seed, streams.resizedCrop, image, epoch()), width, height, augment)
          : undefined;
      return decode(await split.read(image), split.nameOf(image), data.height, crop, target);
    };
    const size = 3 * data.height * data.width;
    const expect = (images: readonly number[]) => split.expect?.(images);
    const forget = (images: readonly number[]) => split.forget?.(images);
    this.#ahead = new ReadAhead({ steps, workers, ahead, size, imagesOf, expect, forget, make });
  }

  restart(): void {
    this.#ahead.cancel();
  }

  async ready(step: number, more = 0): Promise<void> {
    if (this.#disposed) throw new DataError('The loader was disposed.');
    await this.#ahead.ready(step, more);
  }

  waitsFor(step: number): { image: number; missing: number } | undefined {
    return this.#ahead.waitsFor(step);
  }

  #decoded(step: number, count: number): Tensor {
    return fromArray(this.#ahead.take(step), [count, this.#size, this.#size, 3], { share: true });
  }

  take(numbers: readonly number[], step: number, { seed, epoch, flip, normalize }: View): Tensor {
    const turned = numbers.map((image) => flip && new SampleRandom(seed, streams.flip, image, epoch).below(2) === 1);
    const { mean, std } = normalize ?? asTheyAre(3);
    const flips = fromArray(Uint8Array.from(turned, Number)).to('bool');
    const pixels = this.#decoded(step, numbers.length);
    return callOverload(overloadOf('srrl::normalized_pixels'), [pixels, flips, mean, std]) as Tensor;
  }

  pixels(numbers: Tensor, step: number): Tensor {
    return this.#decoded(step, numbers.shape[0] as number).permute(0, 3, 1, 2);
  }

  dispose(): void {
    this.#disposed = true;
    this.#ahead.cancel();
  }
}

/** The identity normalization, which leaves images in 0..1. */
export const asTheyAre = (channels: number) => ({
  mean: new Array<number>(channels).fill(0),
  std: new Array<number>(channels).fill(1),
});

export const normalized = (
  images: Tensor,
  { mean, std }: { mean: readonly number[]; std: readonly number[] },
): Tensor => images.sub(perChannel(mean, images.device)).div(perChannel(std, images.device));
