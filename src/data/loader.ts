import { checkCall, type Kinds } from '../call.js';
import { DataError } from '../errors.js';
import type { Batch } from '../flow.js';
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
import { effectiveAugmentation } from './augment/effective.js';
import { type AugmentOptions, augmentFloats, changesFloats, type EffectiveAugmentOptions } from './augment/index.js';
import { drawMixes, mix } from './augment/mix.js';
import type { Dataset, Split, SplitName } from './dataset.js';
import { DeviceBatches } from './device-batches.js';
import { pixelTable } from './device-views.js';
import { type ImageSource, isEncoded, normalized, openImages, type View } from './images.js';
import { type Order, type Share, shareOf } from './ranks.js';

const kinds: Kinds<LoaderOptions> = {
  batchSize: 'number',
  seed: 'number',
  views: 'number',
  shuffle: 'boolean',
  augment: 'any',
  workers: 'number',
  ahead: 'number',
  device: 'string',
  rank: 'number',
  worldSize: 'number',
  smallestBatch: 'number',
};

/** How a {@link Loader} makes batches. */
export interface LoaderOptions {
  batchSize: number;
  /**
   * The fewest images of a batch: what is left over and fewer goes with the batch before. Training needs 2. Default 1.
   */
  smallestBatch?: number;
  /** Decides order and augmentation, with the epoch and the image's number. Default 0. */
  seed?: number;
  /** Views that an image has; epochs cycle through them. Default: a new one each epoch. */
  views?: number;
  /** A new order each epoch. Default false. */
  shuffle?: boolean;
  /** What is done to the images; true for what the data set usually has. Default false. */
  augment?: boolean | AugmentOptions;
  /** Encoded images that are decoded at the same time, ahead of their step; 0 for none ahead. Default 4. */
  workers?: number;
  /** Batches that are decoded ahead of their step. Default 2. */
  ahead?: number;
  /**
   * Where images, labels and indices are wanted, such as `cuda:0`. Images that are in memory are then held there.
   * Default `cpu`.
   */
  device?: string;
  /** Number of this process among `worldSize` that share each epoch, each with `batchSize` images a step. Default 0. */
  rank?: number;
  /** Default 1. */
  worldSize?: number;
}

/** What a batch waits for. */
export interface AwaitedImage {
  /** What errors call the image: its file, or its name and shard. */
  file: string;
  /** The image's number in the data set. */
  image: number;
  /** How many images of the batch are not there yet. */
  missing: number;
}

/**
 * Hands out the batches of a split. What an image looks like in an epoch is a function of (seed, epoch, image number),
 * and the order one of (seed, epoch): neither depends on the batch size, on the workers, or on what was read before.
 *
 *     loader.begin(epoch);
 *     await loader.ready(step);
 *     torch.scope(() => use(loader.batch(step)));
 */
export class Loader {
  /** Batches an epoch; the last may be smaller, or larger where `smallestBatch` is above 1. */
  readonly steps: number;
  /** Samples an epoch, of this rank. */
  readonly count: number;
  readonly #share: Share;
  readonly #split: Split;
  readonly #labels: Tensor;
  readonly #dataset: Dataset;
  readonly #options: Required<Omit<LoaderOptions, 'augment'>>;
  readonly #augment: EffectiveAugmentOptions | undefined;
  readonly #images: ImageSource;
  #order: Order = inOrder;
  #onDevice: DeviceBatches | undefined;
  #epoch = 0;

  /**
   * Throws DataError where the data set has no such split, or mixes images that are decoded as they come, and
   * ConfigError where there is no such rank.
   */
  constructor(
    dataset: Dataset,
    readonly split: SplitName,
    { augment = false, ...options }: LoaderOptions,
  ) {
    checkCall('new Loader', ['dataset', 'split'], kinds, arguments);
    const set = dataset[split];
    if (!set) throw new DataError(`${dataset.source} has no ${split} split.`);
    this.#split = set;
    this.#dataset = dataset;
    this.#options = {
      smallestBatch: 1,
      seed: 0,
      views: Number.POSITIVE_INFINITY,
      shuffle: false,
      workers: 4,
      ahead: 2,
      device: 'cpu',
      rank: 0,
      worldSize: 1,
      ...options,
    };
    const { batchSize, smallestBatch: smallest, device, rank, worldSize } = this.#options;
    const shardOf = isEncoded(set) ? set.shardOf?.bind(set) : undefined;
    this.#share = shareOf(
      {
        count: set.labels.length,
        batchSize,
        smallest,
        shardOf: shardOf && ((sample) => shardOf(set.rows?.[sample] ?? sample)),
      },
      { rank, worldSize },
    );
    this.count = this.#share.count;
    this.steps = this.#share.steps;
    this.#augment = effectiveAugmentation(dataset, set, augment);
    this.#labels = scope(() => keep(fromArray(Int32Array.from(set.labels)).to({ dtype: 'int64', device })));
    this.#images = openImages(set, {
      ...this.#options,
      data: dataset,
      steps: this.steps,
      imagesOf: (step) => this.#imagesOf(this.#samplesOf(step)),
      epoch: () => this.#viewNumber,
      ...(this.#augment && { augment: this.#augment }),
    });
  }

  /** Where its batches are. */
  get device(): string {
    return this.#options.device;
  }

  /** Chooses the epoch, counted from 0, that {@link batch} reads from. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#images.restart();
    this.#order = this.#orderOf(epoch);
    this.#uploadEpoch();
  }

  #orderOf(epoch: number): Order {
    if (!this.#options.shuffle) return inOrder;
    const count = this.#split.labels.length;
    const order = scope(() => {
      const drawn = callOverload(overloadOf('srrl::epoch_order'), [count, this.#options.seed, epoch]) as Tensor;
      return drawn.toTypedArray() as BigInt64Array;
    });
    return (position) => Number(order[position]);
  }

  /** How many samples a batch has. */
  sizeOf(step: number): number {
    return this.#samplesOf(step).length;
  }

  /**
   * The same batches, made on the device by itself, for steps that are captured. Undefined where images do not lie
   * there, or something is done to them that takes numbers of the host.
   * @internal
   */
  onDevice(): DeviceBatches | undefined {
    if (this.#onDevice) return this.#onDevice;
    const { resident: images } = this.#images;
    const { device } = this.#options;
    if (!images || (this.#augment && changesFloats(this.#augment, false))) return undefined;
    const table = scope(() => keep(pixelTable(this.#dataset, device)));
    this.#onDevice = new DeviceBatches({ images, labels: this.#labels, table, device });
    this.#uploadEpoch();
    return this.#onDevice;
  }

  /** This epoch and, for whoever is a batch ahead, the first batch of the next one. */
  #uploadEpoch(): void {
    if (!this.#onDevice) return;
    const part = (epoch: number, samples: number[]) => ({
      samples,
      images: this.#imagesOf(samples),
      view: { ...this.#plainView, epoch: epoch % this.#options.views },
    });
    const [now, next] = [this.#epoch, this.#epoch + 1];
    const all = Array.from({ length: this.steps }, (_, step) => this.#samplesOf(step)).flat();
    const first = this.#share.samples(this.#orderOf(next), 0);
    this.#onDevice.begin(now, [part(now, all), part(next, first)]);
  }

  /** Makes a batch ready, and begins with those behind it. Throws DataError where an image cannot be read. */
  ready(step: number): Promise<void> {
    return this.#images.ready(step);
  }

  /** What {@link ready} waits for; undefined where the batch is ready, or was not asked for. */
  waitsFor(step: number): AwaitedImage | undefined {
    const found = this.#images.waitsFor(step);
    return found && isEncoded(this.#split) ? { file: this.#split.nameOf(found.image), ...found } : undefined;
  }

  /** Batch number `step` of the epoch, which must be ready where images are encoded. Call it inside a scope. */
  batch(step: number): Batch {
    const samples = this.#samplesOf(step);
    const indices = this.#numbers(samples);
    const own = this.#labels.indexSelect(0, indices);
    const { images, labels } = noGrad(() => this.#view(samples, step, own));
    return { images, labels, indices, views: { number: this.#viewNumber, images: this.#imagesOf(samples) } };
  }

  get #viewNumber(): number {
    return this.#epoch % this.#options.views;
  }

  /** What decides how images look before anything else is done to them. */
  get #plainView(): Omit<View, 'normalize'> {
    const { augment: usual } = this.#dataset;
    const augment = this.#augment;
    return {
      seed: this.#options.seed,
      epoch: this.#viewNumber,
      pad: augment?.crop === 'pad' ? (augment.pad ?? usual.pad) : 0,
      flip: augment ? (augment.flip ?? usual.flip) : false,
    };
  }

  #view(samples: number[], step: number, own: Tensor): { images: Tensor; labels: Tensor } {
    const { mean, std } = this.#dataset;
    const augment = this.#augment;
    const numbers = this.#imagesOf(samples);
    const view = this.#plainView;
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
    const mixes = drawMixes(
      { seed: this.#options.seed, epoch: this.#viewNumber, images: numbers },
      this.#split.labels.length,
      {
        mixup,
        cutmix,
      },
    );
    const partners = mixes.map(({ partner }) => partner);
    const oneHot = (labels: Tensor) => torch.oneHot(labels, this.#dataset.classes.length).to('float32');
    const theirs = this.#labels.indexSelect(0, this.#numbers(partners));
    return mix(
      { images: seen(numbers), labels: oneHot(own) },
      { images: seen(this.#imagesOf(partners)), labels: oneHot(theirs) },
      mixes,
    );
  }

  #numbers(samples: readonly number[]): Tensor {
    return fromArray(BigInt64Array.from(samples, BigInt)).to({ device: this.#options.device });
  }

  #samplesOf(step: number): number[] {
    return this.#share.samples(this.#order, step);
  }

  #imagesOf(samples: number[]): number[] {
    const { rows } = this.#split;
    return rows ? samples.map((sample) => rows[sample] as number) : samples;
  }

  dispose(): void {
    this.#onDevice?.dispose();
    this.#images.dispose();
    this.#labels.dispose();
  }
}

const inOrder: Order = (position) => position;
