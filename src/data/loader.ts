import { DataError } from '../errors.js';
import type { Batch } from '../flow.js';
import { validate } from '../options.js';
import {
  callOverload,
  fromArray,
  keep,
  noGrad,
  overloadOf,
  scope,
  type Tensor,
  functions as torch,
} from '../tensor/index.js';
import {
  type AugmentOptions,
  augmentFloats,
  augmentOptions,
  changesFloats,
  type EffectiveAugmentOptions,
} from './augment/index.js';
import { drawMixes, mix } from './augment/mix.js';
import type { Dataset, Split, SplitName } from './dataset.js';
import { type ImageSource, isEncoded, normalized, openImages, type View } from './images.js';

/** How a {@link Loader} makes batches. */
export interface LoaderOptions {
  batchSize: number;
  /** Decides order and augmentation, with the epoch and the image's number. Default 0. */
  seed?: number;
  /** A new order each epoch. Default false. */
  shuffle?: boolean;
  /** What is done to the images; true for what the data set usually has. Default false. */
  augment?: boolean | AugmentOptions;
  /** Encoded images that are decoded at the same time, ahead of their step; 0 for none ahead. Default 4. */
  workers?: number;
  /** Batches that are decoded ahead of their step. Default 2. */
  ahead?: number;
}

/**
 * Hands out the batches of a split. What an image looks like in an epoch is a function of (seed, epoch, image number), and the
 * order one of (seed, epoch): neither depends on the batch size, on the workers, or on what was read before.
 *
 *     loader.begin(epoch);
 *     await loader.ready(step);
 *     torch.scope(() => use(loader.batch(step)));
 */
export class Loader {
  /** Batches an epoch; the last may be smaller. */
  readonly steps: number;
  readonly count: number;
  readonly #split: Split;
  readonly #labels: Tensor;
  readonly #dataset: Dataset;
  readonly #options: Required<Omit<LoaderOptions, 'augment'>>;
  readonly #augment: EffectiveAugmentOptions | undefined;
  readonly #images: ImageSource;
  #order: BigInt64Array | undefined;
  #epoch = 0;

  /** Throws DataError where the data set has no such split, or mixes images that are decoded as they come. */
  constructor(dataset: Dataset, split: SplitName, { augment = false, ...options }: LoaderOptions) {
    const set = dataset[split];
    if (!set) throw new DataError(`${dataset.source} has no ${split} split.`);
    this.count = set.labels.length;
    this.steps = Math.ceil(this.count / options.batchSize);
    this.#split = set;
    this.#dataset = dataset;
    this.#options = { seed: 0, shuffle: false, workers: 4, ahead: 2, ...options };
    this.#augment = effective(dataset, set, augment);
    this.#labels = scope(() => keep(fromArray(Int32Array.from(set.labels)).to('int64')));
    this.#images = openImages(set, {
      ...this.#options,
      data: dataset,
      steps: this.steps,
      imagesOf: (step) => this.#imagesOf(this.#samplesOf(step)),
      epoch: () => this.#epoch,
      ...(this.#augment && { augment: this.#augment }),
    });
  }

  /** Chooses the epoch, counted from 0, that {@link batch} reads from. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#images.restart();
    this.#order = undefined;
    if (!this.#options.shuffle) return;
    this.#order = scope(() => {
      const order = callOverload(overloadOf('srrl::epoch_order'), [this.count, this.#options.seed, epoch]) as Tensor;
      return order.toTypedArray() as BigInt64Array;
    });
  }

  /** Makes a batch ready, and begins with those behind it. Throws DataError where an image cannot be read. */
  ready(step: number): Promise<void> {
    return this.#images.ready(step);
  }

  /** Batch number `step` of the epoch, which must be ready where images are encoded. Call it inside a scope. */
  batch(step: number): Batch {
    const samples = this.#samplesOf(step);
    const indices = fromArray(BigInt64Array.from(samples, BigInt));
    const own = this.#labels.indexSelect(0, indices);
    const { images, labels } = noGrad(() => this.#view(samples, step, own));
    return { images, labels, indices };
  }

  #view(samples: number[], step: number, own: Tensor): { images: Tensor; labels: Tensor } {
    const { mean, std, augment: usual } = this.#dataset;
    const augment = this.#augment;
    const numbers = this.#imagesOf(samples);
    const view: View = {
      seed: this.#options.seed,
      epoch: this.#epoch,
      pad: augment?.crop === 'pad' ? (augment.pad ?? usual.pad) : 0,
      flip: augment ? (augment.flip ?? usual.flip) : false,
    };
    const encoded = isEncoded(this.#split);
    if (!augment || !changesFloats(augment, encoded))
      return { images: this.#images.take(numbers, step, { ...view, normalize: { mean, std } }), labels: own };
    const seen = (images: number[]) => {
      const draw = { seed: view.seed, epoch: view.epoch, images };
      return augmentFloats(this.#images.take(images, step, view), draw, augment, { mean, encoded });
    };
    const mixed = augment.mixup || augment.cutmix ? this.#mixed(samples, own, seen, augment) : undefined;
    const { images, labels } = mixed ?? { images: seen(numbers), labels: own };
    const normal = normalized(images, { mean, std });
    return { images: normal.contiguous({ memoryFormat: 'channelsLast' }), labels };
  }

  #mixed(samples: number[], own: Tensor, seen: (images: number[]) => Tensor, augment: EffectiveAugmentOptions) {
    const numbers = this.#imagesOf(samples);
    const { mixup, cutmix } = augment;
    const mixes = drawMixes({ seed: this.#options.seed, epoch: this.#epoch, images: numbers }, this.count, {
      mixup,
      cutmix,
    });
    const partners = mixes.map(({ partner }) => partner);
    const oneHot = (labels: Tensor) => torch.oneHot(labels, this.#dataset.classes.length).to('float32');
    const theirs = this.#labels.indexSelect(0, fromArray(BigInt64Array.from(partners, BigInt)));
    return mix(
      { images: seen(numbers), labels: oneHot(own) },
      { images: seen(this.#imagesOf(partners)), labels: oneHot(theirs) },
      mixes,
    );
  }

  #samplesOf(step: number): number[] {
    const { batchSize } = this.#options;
    const begin = step * batchSize;
    const length = Math.max(0, Math.min(batchSize, this.count - begin));
    return Array.from({ length }, (_, i) => (this.#order ? Number(this.#order[begin + i]) : begin + i));
  }

  #imagesOf(samples: number[]): number[] {
    const { rows } = this.#split;
    return rows ? samples.map((sample) => rows[sample] as number) : samples;
  }

  dispose(): void {
    this.#images.dispose();
    this.#labels.dispose();
  }
}

function effective(data: Dataset, set: Split, augment: boolean | AugmentOptions): EffectiveAugmentOptions | undefined {
  if (augment === false) return undefined;
  const asked = validate(augmentOptions, augment === true ? {} : augment, 'the augmentation');
  const encoded = isEncoded(set);
  if (encoded && (asked.mixup || asked.cutmix))
    throw new DataError(
      `${data.source} decodes its images as they come; mixup and CutMix need images of one size (srrl pack).`,
    );
  if (encoded && asked.crop === 'pad')
    throw new DataError(
      `${data.source} has images of many sizes, from which a part is resized; --crop pad is for images of one size.`,
    );
  return { ...asked, crop: asked.crop ?? (encoded ? 'resized' : 'pad') };
}
