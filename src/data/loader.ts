import { checkCall, type Kinds } from '../call.js';
import { DataError } from '../errors.js';
import type { Batch } from '../flow.js';
import { callOverload, fromArray, keep, overloadOf, scope, type Tensor } from '../tensor/index.js';
import { effectiveAugmentation } from './augment/effective.js';
import type { AugmentOptions } from './augment/index.js';
import { BatchesOnDevice } from './batches-on-device.js';
import type { CapturedSource } from './captured.js';
import type { Dataset, Split, SplitName } from './dataset.js';
import type { ImageDType } from './device-views.js';
import { HostBatches } from './host-batches.js';
import { type ImageSource, isEncoded, openImages } from './images.js';
import { imagesOf } from './plain-view.js';
import { type Order, type Share, shareOf, shareOfParts, shareOfWholeBatches } from './ranks.js';

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
  part: 'number',
  wholeBatches: 'boolean',
};

/** How a {@link Loader} makes batches. */
export interface LoaderOptions {
  batchSize: number;
  /** The fewest images of a batch: a smaller rest joins the batch before it. Training needs 2. Default 1. */
  smallestBatch?: number;
  /** Determines order and augmentation, together with the epoch and the image's number. Default 0. */
  seed?: number;
  /** Number of views per image; epochs cycle through them. Default: a new view each epoch. */
  views?: number;
  /** Whether to shuffle anew each epoch. Default false. */
  shuffle?: boolean;
  /** The augmentation; true for the data set's default. Default false. */
  augment?: boolean | AugmentOptions;
  /** Encoded images that are decoded concurrently, ahead of their step; 0 decodes none ahead. Default 4. */
  workers?: number;
  /** Batches that are decoded ahead of their step. Default 2. */
  ahead?: number;
  /**
   * The device of images, labels and indices, such as `cuda:0`. Images in memory are then stored there. Default `cpu`.
   */
  device?: string;
  /** Rank of this process among `worldSize` that share each epoch, each with `batchSize` images per step. Default 0. */
  rank?: number;
  /** Number of processes. Default 1. */
  worldSize?: number;
  /**
   * Makes `batchSize` that of all processes together: each process has its share of every `part` images of a batch, so
   * the batches are those of a single process. Default: `batchSize` is per process.
   */
  part?: number;
  /**
   * Gives each process every `worldSize`-th batch of a single process, so that results are bitwise identical; the last
   * processes may have one batch fewer. Default false.
   */
  wholeBatches?: boolean;
}

/** The image that a batch waits for. */
export interface AwaitedImage {
  /** The image's name in error messages: its file, or its name and shard. */
  file: string;
  /** The image's number in the data set. */
  image: number;
  /** How many images of the batch are not ready yet. */
  missing: number;
}

/**
 * Provides the batches of a split. What an image looks like is a function of (seed, epoch, image number), and the order
 * is a function of (seed, epoch): neither depends on the batch size, the workers, or earlier reads.
 *
 *     loader.begin(epoch);
 *     await loader.ready(step);
 *     torch.scope(() => use(loader.batch(step)));
 */
export class Loader {
  /** Batches per epoch; the last may be smaller, or larger if `smallestBatch` is above 1. */
  readonly steps: number;
  /** Samples per epoch of this rank. */
  readonly count: number;
  readonly #share: Share;
  readonly #split: Split;
  readonly #labels: Tensor;
  readonly #options: Required<Omit<LoaderOptions, 'augment' | 'part' | 'wholeBatches'>>;
  /** Returns the images of a batch of all processes together. */
  readonly #wholeSizeOf: ((step: number) => number) | undefined;
  #begins: number[] | undefined;
  readonly #images: ImageSource;
  readonly #batches: HostBatches | BatchesOnDevice;
  /** The orders of this epoch and, if a batch is made ahead of it, of the next one. */
  readonly #orders = new Map<number, Order>();
  #epoch = 0;

  /**
   * Throws DataError if the data set has no such split, or if mixing is requested for images that are decoded on
   * demand; throws ConfigError if there is no such rank.
   */
  constructor(
    dataset: Dataset,
    readonly split: SplitName,
    { augment = false, part, wholeBatches = false, ...options }: LoaderOptions,
  ) {
    checkCall('new Loader', ['dataset', 'split'], kinds, arguments);
    const set = dataset[split];
    if (!set) throw new DataError(`${dataset.source} has no ${split} split.`);
    this.#split = set;
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
    const sharing = { count: set.labels.length, batchSize, smallest };
    if (wholeBatches) this.#share = shareOfWholeBatches(sharing, { rank, worldSize });
    else if (part === undefined) {
      const shardOfSample = shardOf && ((sample: number) => shardOf(set.rows?.[sample] ?? sample));
      this.#share = shareOf({ ...sharing, shardOf: shardOfSample }, { rank, worldSize });
    } else {
      const share = shareOfParts({ ...sharing, part }, { rank, worldSize });
      this.#share = share;
      this.#wholeSizeOf = share.wholeSizeOf;
    }
    this.count = this.#share.count;
    this.steps = this.#share.steps;
    const augmentation = effectiveAugmentation(dataset, set, augment);
    this.#labels = scope(() => keep(fromArray(Int32Array.from(set.labels)).to({ dtype: 'int64', device })));
    this.#images = openImages(set, {
      ...this.#options,
      data: dataset,
      steps: this.steps,
      imagesOf: (step) => imagesOf(set, this.#samplesOf(this.#epoch, step)),
      epoch: () => this.#viewOf(this.#epoch),
      ...(augmentation && { augment: augmentation }),
    });
    const { seed } = this.#options;
    const made = { data: dataset, split: set, augment: augmentation, seed, images: this.#images, labels: this.#labels };
    this.#batches =
      device === 'cpu'
        ? new HostBatches(made)
        : new BatchesOnDevice({
            ...{ ...made, device, steps: this.steps },
            beginOf: (step) => this.beginOf(step),
            samplesOf: (epoch, step) => this.#samplesOf(epoch, step),
            viewOf: (epoch) => this.#viewOf(epoch),
          });
  }

  /** The device of the batches. */
  get device(): string {
    return this.#options.device;
  }

  /** The number of processes that share the images. */
  get worldSize(): number {
    return this.#options.worldSize;
  }

  /** Selects the epoch, counted from 0, of the following {@link batch} calls. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#images.restart();
    this.#batches.begin(epoch);
  }

  #orderOf(epoch: number): Order {
    if (!this.#options.shuffle) return inOrder;
    for (const known of this.#orders.keys()) if (known < this.#epoch) this.#orders.delete(known);
    const order = this.#orders.get(epoch) ?? this.#drawOrder(epoch);
    this.#orders.set(epoch, order);
    return order;
  }

  #drawOrder(epoch: number): Order {
    const count = this.#split.labels.length;
    const order = scope(() => {
      const drawn = callOverload(overloadOf('srrl::epoch_order'), [count, this.#options.seed, epoch]) as Tensor;
      return drawn.to('float64').toTypedArray() as Float64Array;
    });
    return (position) => order[position] as number;
  }

  /** Returns the number of samples of a batch. */
  sizeOf(step: number): number {
    return this.#samplesOf(this.#epoch, step).length;
  }

  /** Returns where a batch begins among this process's samples of an epoch. */
  beginOf(step: number): number {
    this.#begins ??= beginsOf(this.#share);
    return this.#begins[step] ?? this.count;
  }

  /** Returns the batch size of all processes together if they share the parts of a batch; otherwise {@link sizeOf}. */
  wholeSizeOf(step: number): number {
    return this.#wholeSizeOf?.(step) ?? this.sizeOf(step);
  }

  /**
   * Returns the batches for steps captured in a CUDA graph: made on the device if the images are there, otherwise from
   * data that the host uploads ahead of its step. Undefined on the CPU.
   * @internal
   */
  onDevice(): CapturedSource | undefined {
    return this.#batches.captured();
  }

  /**
   * Makes the images of batches on a device in this dtype from now on; call it before {@link onDevice}.
   * @internal
   */
  roundImages(dtype: ImageDType): void {
    if (this.#batches instanceof BatchesOnDevice) this.#batches.round(dtype);
  }

  /**
   * Draws part of the numbers that {@link onDevice} needs in the next epoch, for about `milliseconds`.
   * @internal
   */
  drawAhead(milliseconds: number): void {
    this.#batches.drawAhead(milliseconds);
  }

  /** Waits until a batch is ready, and starts on the following ones. Throws DataError if an image cannot be read. */
  ready(step: number): Promise<void> {
    return this.#images.ready(step, this.#batches.awaitedAhead);
  }

  /** Returns what {@link ready} waits for; undefined if the batch is ready, or was not requested. */
  waitsFor(step: number): AwaitedImage | undefined {
    const steps = Array.from({ length: 1 + this.#batches.awaitedAhead }, (_, i) => step + i);
    const [found] = steps.flatMap((one) => this.#images.waitsFor(one) ?? []);
    return found && isEncoded(this.#split) ? { file: this.#split.nameOf(found.image), ...found } : undefined;
  }

  /** Returns batch `step` of the epoch; encoded images must be {@link ready}. Call it inside a scope. */
  batch(step: number): Batch {
    return this.#batches.batch(this.#samplesOf(this.#epoch, step), step, this.#viewOf(this.#epoch));
  }

  #viewOf(epoch: number): number {
    return epoch % this.#options.views;
  }

  #samplesOf(epoch: number, step: number): number[] {
    return this.#share.samples(this.#orderOf(epoch), step);
  }

  dispose(): void {
    this.#batches.dispose();
    this.#images.dispose();
    this.#labels.dispose();
  }
}

const inOrder: Order = (position) => position;

function beginsOf({ steps, samples }: Share): number[] {
  const begins = [0];
  for (let step = 0; step + 1 < steps; step++) begins.push((begins[step] as number) + samples(inOrder, step).length);
  return begins;
}
