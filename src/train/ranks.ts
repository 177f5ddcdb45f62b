/** The processes that train together: how they divide images, and what they agree on. A single process has no ranks. */
import type { Dataset } from '../data/dataset.js';
import { fingerprintOf } from '../data/fingerprint.js';
import type { LoaderOptions } from '../data/loader.js';
import { type PartShare, partShares } from '../data/ranks.js';
import type { Objective } from '../distill/method.js';
import type { Teacher } from '../distill/teacher.js';
import { placeFrom } from '../distributed/environment.js';
import { numbersNow, valueNow } from '../distributed/immediate.js';
import { mustDoTheSame } from '../distributed/state.js';
import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import { noGrad, type Tensor } from '../tensor/index.js';
import type { EffectiveTrainOptions } from './options.js';

/** The fewest images of a part for one process: batch normalization of pooled features needs two. */
export const smallestShare = 2;

export class Ranks {
  private constructor(
    readonly rank: number,
    readonly size: number,
  ) {}

  /** Returns the ranks of the process group; undefined without a group, and for a group of one. */
  static current(): Ranks | undefined {
    const info = native().distributedInfo();
    return info && info.size > 1 ? new Ranks(info.rank, info.size) : undefined;
  }

  /** Runs `body` on the first process of each machine, then on the others, which find its results. */
  firstOnMachineFirst<T>(body: () => T): T {
    const isFirst = (placeFrom()?.localRank ?? this.rank) === 0;
    const made = isFirst ? body() : undefined;
    this.sums([0]);
    return made ?? body();
  }

  /** Whether this is rank 0, the only process that writes files. */
  get isFirst(): boolean {
    return this.rank === 0;
  }

  /** Returns the loader options for training images. */
  loading({ batchSize, microBatch = batchSize }: EffectiveTrainOptions): Partial<LoaderOptions> {
    return {
      rank: this.rank,
      worldSize: this.size,
      part: Math.min(microBatch, batchSize),
      smallestBatch: smallestShare,
    };
  }

  /** Returns the loader options for evaluation; with fewer images than processes, each evaluates all. */
  evaluating(images: number): Partial<LoaderOptions> {
    return images < this.size ? {} : { rank: this.rank, worldSize: this.size };
  }

  /** Returns this process's share of each part of a batch of all processes. */
  shares(count: number, part: number): PartShare[] {
    return partShares(count, { part, smallest: smallestShare }, { rank: this.rank, worldSize: this.size });
  }

  /** Returns the weight of this process's mean in the mean over the images of all. */
  weightOf(share: PartShare, objective: Objective): number {
    return share.everyone || objective.comparesImages ? 1 / this.size : share.size / share.total;
  }

  /** Returns the weighted sum of a loss over all ranks, on the device of the loss and without gradient. */
  jointLoss(loss: Tensor, weight: number): Tensor {
    return noGrad(() => {
      const joint = loss.detach().mul(weight);
      native().distributedAllReduce([joint.handle], 'sum', false);
      return joint;
    });
  }

  sums(values: readonly number[]): number[] {
    return numbersNow(values, 'sum');
  }

  /** Returns for each flag whether it is true on any rank. */
  any(flags: readonly boolean[]): boolean[] {
    return numbersNow(flags.map(Number), 'max').map((flag) => flag > 0);
  }

  /** Returns the value of rank 0, which JSON must be able to hold. */
  ofFirst<T>(value: T): T {
    return valueNow(value);
  }

  /** Returns the device of this process: for `cuda`, the GPU of its local rank. */
  deviceFor(device: string): string {
    return device === 'cuda' ? `cuda:${placeFrom()?.localRank ?? this.rank}` : device;
  }

  /** Throws ConfigError if the images of a batch cannot be divided evenly. */
  check({ batchSize, microBatch }: EffectiveTrainOptions, data: Dataset): void {
    const images = data.train.labels.length;
    if (images < this.size)
      throw new ConfigError(`${data.source} has ${images} training images for ${this.size} processes: start fewer.`);
    for (const [flag, size] of [
      ['--batch-size', batchSize],
      ['--micro-batch', microBatch ?? batchSize],
    ] as const) {
      if (size % this.size === 0) continue;
      const below = size - (size % this.size);
      throw new ConfigError(
        `${flag} ${size} cannot be divided by ${this.size} processes: it is the number of all of them together. Use ${below > 0 ? `${below} or ` : ''}${below + this.size}.`,
      );
    }
  }

  /** Throws DistributedError on every rank if one of them would train something else. */
  agree(config: Record<string, unknown>, data: Dataset, teacher: Teacher | undefined): void {
    const same = Object.entries(config).filter(([key]) => !places.has(key));
    mustDoTheSame('run', {
      ...Object.fromEntries(same),
      'training images': fingerprintOf(data),
      'test images': data.test?.labels.length ?? 0,
      ...(teacher && { 'weights of the teacher': teacher.fingerprint() }),
      'use of a teacher cache': config.teacherCache !== undefined,
    });
  }

  reached(step: number): void {
    native().distributedReached(step);
  }
}

/** Paths and devices may differ from machine to machine; the contents of the paths are compared. */
const places = new Set(['data', 'teacher', 'teacherCache', 'shardCache', 'shardCacheSize', 'device', 'profile']);
