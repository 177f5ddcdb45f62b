/** Divides the samples of each epoch among processes. */
import { ConfigError } from '../errors.js';
import { validate, z } from '../options.js';

export const rankOptions = z.strictObject({
  rank: z.int().min(0).default(0).describe('number of this process, from 0'),
  worldSize: z.int().min(1).default(1).describe('processes that share the data'),
});

export type RankOptions = z.input<typeof rankOptions>;

/** Returns the sample at a position of an epoch; the order is the same in all processes. */
export type Order = (position: number) => number;

/**
 * The share of one process. The shares are disjoint and together cover the epoch. Every process has the same number of
 * batches, none of them empty.
 */
export interface Share {
  /** Samples per epoch. */
  count: number;
  /** Batches per epoch. */
  steps: number;
  /** Returns the samples of a batch. */
  samples(order: Order, step: number): number[];
}

export interface Sharing {
  count: number;
  /** Batch size of each process. */
  batchSize: number;
  /** The fewest samples of a batch, if that many exist: 2 for training with batch normalization. Default 1. */
  smallest?: number;
  /** Returns the shard of a sample, for data stored in shards. */
  shardOf?: ((sample: number) => number) | undefined;
}

/** A process's share of one part of a batch. A part is the images that pass through the network at once. */
export interface PartShare {
  /** Position of the part in the batch. */
  begin: number;
  /** Images of the part in all processes together. */
  total: number;
  /** Position of this process's images in the part, and their number. */
  from: number;
  size: number;
  /** Whether every process has the whole part because it is too small to divide. */
  everyone: boolean;
}

/**
 * Returns the begin and size of each part of a batch. A single leftover image joins the part before it: batch
 * normalization of averaged features has no variance over one image.
 */
export function partsOf(count: number, size: number): [begin: number, size: number][] {
  const parts = Math.max(1, Math.ceil(count / size) - (size > 1 && count % size === 1 ? 1 : 0));
  return Array.from({ length: parts }, (_, i) => [i * size, i === parts - 1 ? count - i * size : size]);
}

/**
 * Returns this process's share of each part of a batch of `count` images. Parts, and so all results of a batch, match
 * those of a single process. Each process has at least `smallest` images of a part, or every process has the whole
 * part.
 */
export function partShares(
  count: number,
  { part, smallest = 1 }: { part: number; smallest?: number },
  { rank = 0, worldSize = 1 }: RankOptions,
): PartShare[] {
  return partsOf(count, part).map(([begin, total]) => {
    const everyone = worldSize > 1 && total < smallest * worldSize;
    if (everyone) return { begin, total, from: 0, size: total, everyone };
    const from = cut(total, rank, worldSize);
    return { begin, total, from, size: cut(total, rank + 1, worldSize) - from, everyone };
  });
}

/** Returns how many samples of a divided part each rank has. */
export const rowsOfRanks = (total: number, worldSize: number): number[] =>
  Array.from({ length: worldSize }, (_, rank) => cut(total, rank + 1, worldSize) - cut(total, rank, worldSize));

/** Divides the batches that a single process would have with `batchSize` images, part by part. */
export function shareOfParts(
  { count, batchSize, smallest = 1, part }: Sharing & { part: number },
  options: RankOptions,
): Share & { wholeSizeOf(step: number): number } {
  const ranks = validate(rankOptions, options, "the loader's ranks");
  const single = shareOfBatches({ count, batchSize, smallest }, 0, 1);
  const wholeSizeOf = (step: number) => {
    if (step < 0 || step >= single.steps) return 0;
    return (step === single.steps - 1 ? count : (step + 1) * batchSize) - step * batchSize;
  };
  const shares = (step: number) => partShares(wholeSizeOf(step), { part, smallest }, ranks);
  const sizeOf = (step: number) => shares(step).reduce((sum, { size }) => sum + size, 0);
  return {
    steps: single.steps,
    count: single.steps > 1 ? (single.steps - 1) * sizeOf(0) + sizeOf(single.steps - 1) : sizeOf(0),
    wholeSizeOf,
    samples(order, step) {
      if (wholeSizeOf(step) === 0) return [];
      const first = step * batchSize;
      return shares(step).flatMap(({ begin, from, size }) =>
        Array.from({ length: size }, (_, i) => order(first + begin + from + i)),
      );
    },
  };
}

/**
 * Assigns each process every `worldSize`-th batch of a single process. Results of a batch are the same in either case,
 * and the results of all processes in batch order equal those of one. A process may have one batch fewer than others.
 */
export function shareOfWholeBatches(
  { count, batchSize, smallest = 1 }: Sharing,
  options: RankOptions,
): Share & { numberOf(step: number): number } {
  const { rank, worldSize } = validate(rankOptions, options, "the loader's ranks");
  const single = shareOfBatches({ count, batchSize, smallest }, 0, 1);
  const steps = Math.ceil(Math.max(0, single.steps - rank) / worldSize);
  const numberOf = (step: number) => step * worldSize + rank;
  const samples = (order: Order, step: number) => (step < steps ? single.samples(order, numberOf(step)) : []);
  const sizes = Array.from({ length: steps }, (_, step) => samples((position) => position, step).length);
  return { steps, count: sizes.reduce((sum, size) => sum + size, 0), samples, numberOf };
}

/**
 * Divides whole shards if every process gets one and enough samples for each of its batches; otherwise single samples.
 * Throws ConfigError if `rank` is not below `worldSize`, or there are fewer samples than processes.
 */
export function shareOf({ count, batchSize, smallest = 1, shardOf }: Sharing, options: RankOptions): Share {
  const { rank, worldSize } = validate(rankOptions, options, "the loader's ranks");
  if (rank >= worldSize)
    throw new ConfigError(`There is no rank ${rank} of ${worldSize}: ranks go from 0 to ${worldSize - 1}.`);
  if (worldSize > 1 && count < worldSize)
    throw new ConfigError(`${count} images cannot be shared by ${worldSize} processes: use fewer of them.`);
  const sizes = { count, batchSize, smallest };
  const byShard = worldSize > 1 && shardOf ? shareOfShards(shardOf, sizes, rank, worldSize) : undefined;
  return byShard ?? shareOfBatches(sizes, rank, worldSize);
}

/**
 * Divides each batch of `batchSize * worldSize` images that a single process would have. The last, smaller batch is
 * divided evenly; with fewer than `smallest` images per process it joins the batch before.
 */
function shareOfBatches({ count, batchSize, smallest = 1 }: Sharing, rank: number, worldSize: number): Share {
  const whole = batchSize * worldSize;
  const steps = Math.max(1, Math.floor(count / whole) + (count % whole >= smallest * worldSize ? 1 : 0));
  const rangeOf = (step: number): [begin: number, end: number] => {
    const from = step * whole;
    const length = (step === steps - 1 ? count : from + whole) - from;
    return [from + cut(length, rank, worldSize), from + cut(length, rank + 1, worldSize)];
  };
  const [begin, end] = rangeOf(steps - 1);
  return {
    steps,
    count: (steps - 1) * batchSize + (end - begin),
    samples(order, step) {
      if (step < 0 || step >= steps) return [];
      const [first, last] = rangeOf(step);
      return Array.from({ length: last - first }, (_, i) => order(first + i));
    },
  };
}

/**
 * Divides whole shards. A process's samples, in the epoch's order, form as many even batches as the process with the
 * most samples needs. A process keeps its shards in every epoch, so they may be on its own disk. Undefined if there are
 * too few shards or samples.
 */
function shareOfShards(
  shardOf: (sample: number) => number,
  { count, batchSize, smallest = 1 }: Sharing,
  rank: number,
  worldSize: number,
): Share | undefined {
  const sizes = new Map<number, number>();
  for (let sample = 0; sample < count; sample++) {
    const shard = shardOf(sample);
    sizes.set(shard, (sizes.get(shard) ?? 0) + 1);
  }
  if (sizes.size < worldSize) return undefined;
  const { ownerOf, counts } = deal(sizes, worldSize);
  const steps = Math.ceil(Math.max(...counts) / batchSize);
  if (Math.min(...counts) < steps * smallest) return undefined;
  const own = counts[rank] as number;
  const ownSamples = remembered((order) => {
    const all = Array.from({ length: count }, (_, position) => order(position));
    return all.filter((sample) => ownerOf.get(shardOf(sample)) === rank);
  });
  return {
    steps,
    count: own,
    samples: (order, step) => ownSamples(order).slice(cut(own, step, steps), cut(own, step + 1, steps)),
  };
}

/** Assigns each shard, the largest first, to the process with the fewest samples so far. */
function deal(sizes: Map<number, number>, worldSize: number): { ownerOf: Map<number, number>; counts: number[] } {
  const counts = new Array<number>(worldSize).fill(0);
  const ownerOf = new Map<number, number>();
  for (const [shard, size] of [...sizes].sort(([a, sizeOfA], [b, sizeOfB]) => sizeOfB - sizeOfA || a - b)) {
    const owner = counts.indexOf(Math.min(...counts));
    ownerOf.set(shard, owner);
    counts[owner] = (counts[owner] as number) + size;
  }
  return { ownerOf, counts };
}

/** Returns where part `part` begins if `length` is divided into `parts` whose lengths differ by at most one. */
const cut = (length: number, part: number, parts: number): number => Math.floor((length * part) / parts);

/** Caches the result of `compute` for the most recent order. */
function remembered<T>(compute: (order: Order) => T): (order: Order) => T {
  let known: { order: Order; value: T } | undefined;
  return (order) => {
    if (known?.order !== order) known = { order, value: compute(order) };
    return known.value;
  };
}
