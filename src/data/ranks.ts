/** Which part of each epoch a process sees that shares the data with others. */
import { ConfigError } from '../errors.js';
import { validate, z } from '../options.js';

export const rankOptions = z.strictObject({
  rank: z.int().min(0).default(0).describe('number of this process, from 0'),
  worldSize: z.int().min(1).default(1).describe('processes that share the data'),
});

export type RankOptions = z.input<typeof rankOptions>;

/** The samples of an epoch in its order, which is the same in all processes. */
export type Order = (position: number) => number;

/**
 * A process's part. Over all processes the parts are disjoint and together the whole epoch, and every process has as
 * many batches as the others, none of them empty.
 */
export interface Share {
  /** Samples an epoch. */
  count: number;
  /** Batches an epoch. */
  steps: number;
  /** The samples of a batch. */
  samples(order: Order, step: number): number[];
}

export interface Sharing {
  count: number;
  /** Of each process. */
  batchSize: number;
  /**
   * The fewest samples that a batch may have, where there are as many: 2 for training with batch normalization. Default
   * 1.
   */
  smallest?: number;
  /** The shard that a sample lies in, where data are kept in shards. */
  shardOf?: ((sample: number) => number) | undefined;
}

/** What a process has of a part of a batch, a part being images that go through the network at once. */
export interface PartShare {
  /** Where the part begins in the batch. */
  begin: number;
  /** Images of the part, of all processes. */
  total: number;
  /** Where this process's images begin in the part, and how many they are. */
  from: number;
  size: number;
  /** Whether every process has all of them: there are too few to be shared. */
  everyone: boolean;
}

/**
 * Where the parts of a batch begin, and their sizes. One image that is left over goes with the part before: batch
 * normalization of averaged features has no variance over a single image.
 */
export function partsOf(count: number, size: number): [begin: number, size: number][] {
  const parts = Math.max(1, Math.ceil(count / size) - (size > 1 && count % size === 1 ? 1 : 0));
  return Array.from({ length: parts }, (_, i) => [i * size, i === parts - 1 ? count - i * size : size]);
}

/**
 * This process's share of each part of a batch of `count` images. Parts, and with them everything that is computed of
 * a batch, are those of a single process. Each process has `smallest` images of a part, or all have all of it.
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

/** How many samples of a shared part each rank has. */
export const rowsOfRanks = (total: number, worldSize: number): number[] =>
  Array.from({ length: worldSize }, (_, rank) => cut(total, rank + 1, worldSize) - cut(total, rank, worldSize));

/** A share of the batches that a single process would have with `batchSize` images, part by part. */
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
 * Every so many of the batches that a single process has: what is computed of a batch is the same in either case, and
 * results of all processes in the order of the batches are those of one. A process may have one batch less than others.
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
 * Divides whole shards where there are at least as many as processes and each gets enough for a sample a batch; single
 * samples otherwise. Throws ConfigError where `rank` is none of `worldSize`, or there are fewer samples than processes.
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
 * A part of each batch that a single process would have with `batchSize * worldSize` images. What is left for the last
 * batch is divided evenly; where it is less than `smallest` images a process, it goes with the batch before.
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
 * The samples of whole shards in the epoch's order, divided evenly into as many batches as the process with the most
 * samples needs. A process has the same shards in every epoch, so that they may lie on its own disk. Undefined where
 * there are too few shards.
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

/** Gives each shard, the largest first, to the process that has the fewest samples so far. */
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

/** Where part number `part` begins, of a length that is cut into `parts` whose lengths differ by no more than one. */
const cut = (length: number, part: number, parts: number): number => Math.floor((length * part) / parts);

/** A function of the order that is computed once for each. */
function remembered<T>(compute: (order: Order) => T): (order: Order) => T {
  let known: { order: Order; value: T } | undefined;
  return (order) => {
    if (known?.order !== order) known = { order, value: compute(order) };
    return known.value;
  };
}
