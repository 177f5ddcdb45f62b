import type { Batch } from '../flow.js';
import { callOverload, fromArray, functions, keep, overloadOf, scope, type Tensor } from '../tensor/index.js';
import type { Dataset, ImageSet } from './dataset.js';

export interface LoaderOptions {
  batchSize: number;
  /** Decides order and augmentation, with the epoch and the sample's number. Default 0. */
  seed?: number;
  /** A new order each epoch. Default false. */
  shuffle?: boolean;
  /** Crops and flips as the data set says. Default false. */
  augment?: boolean;
}

/**
 * Hands out the batches of a split. What a sample looks like in an epoch is a function of (seed, epoch, sample number), and the
 * order one of (seed, epoch): neither depends on the batch size or on what was read before.
 */
export class Loader {
  /** Batches an epoch; the last may be smaller. */
  readonly steps: number;
  readonly count: number;
  readonly #images: Tensor;
  readonly #labels: Tensor;
  readonly #dataset: Dataset;
  readonly #options: Required<LoaderOptions>;
  #order: Tensor | undefined;
  #epoch = 0;

  constructor(dataset: Dataset, split: 'train' | 'test', options: LoaderOptions) {
    const set: ImageSet = dataset[split];
    this.count = set.labels.length;
    this.steps = Math.ceil(this.count / options.batchSize);
    this.#dataset = dataset;
    this.#options = { seed: 0, shuffle: false, augment: false, ...options };
    [this.#images, this.#labels] = scope(() => [
      keep(fromArray(set.images, [this.count, dataset.channels, dataset.height, dataset.width])),
      keep(fromArray(set.labels).to('int64')),
    ]) as [Tensor, Tensor];
  }

  /** Chooses the epoch, counted from 0, that {@link batch} reads from. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#order?.dispose();
    this.#order = undefined;
    if (this.#options.shuffle) {
      this.#order = scope(() =>
        keep(callOverload(overloadOf('srrl::epoch_order'), [this.count, this.#options.seed, epoch]) as Tensor),
      );
    }
  }

  /** Batch number `step` of the epoch. Call it inside a scope. */
  batch(step: number): Batch {
    const { batchSize, seed, augment } = this.#options;
    const { mean, std, augment: usual } = this.#dataset;
    const begin = step * batchSize;
    const end = Math.min(begin + batchSize, this.count);
    const indices = this.#order ? this.#order.slice(0, begin, end) : functions.arange(begin, end);
    const [pad, flip] = augment ? [usual.pad, usual.flip] : [0, false];
    const images = callOverload(overloadOf('srrl::normalized_views'), [
      this.#images,
      indices,
      mean,
      std,
      pad,
      flip,
      seed,
      this.#epoch,
    ]) as Tensor;
    return { images, labels: this.#labels.indexSelect(0, indices), indices };
  }

  dispose(): void {
    for (const tensor of [this.#images, this.#labels, this.#order]) tensor?.dispose();
  }
}
