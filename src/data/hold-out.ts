import { checkCall } from '../call.js';
import { ConfigError } from '../errors.js';
import type { Dataset, Labels, Split } from './dataset.js';
import { SampleRandom, streams } from './philox.js';

/**
 * Moves a share of each class's training samples to the validation split; the seed decides which. No image is copied.
 * Throws ConfigError if the share is not between 0 and 1, or leaves either side without a sample.
 */
export function holdOut(data: Dataset, share: number, seed = 0): Dataset {
  checkCall('holdOut', ['data', 'share', 'seed'], undefined, arguments);
  if (!(share > 0 && share < 1)) throw new ConfigError(`The share to hold out must be between 0 and 1, not ${share}.`);
  const count = data.train.labels.length;
  const taken = choose(data.train.labels, seed, (members) => Math.round(share * members));
  if (taken.size === 0 || taken.size === count)
    throw new ConfigError(`A share of ${share} of ${count} training images leaves none on one side.`);
  const samples = Array.from({ length: count }, (_, sample) => sample);
  return {
    ...data,
    train: takeSamples(
      data.train,
      samples.filter((sample) => !taken.has(sample)),
    ),
    validation: takeSamples(
      data.train,
      samples.filter((sample) => taken.has(sample)),
    ),
  };
}

/**
 * Returns the data with `images` training images, equally many of each class; the seed decides which. Throws
 * ConfigError if `images` is not a multiple of the number of classes, or a class has too few.
 */
export function takeTraining(data: Dataset, images: number, seed = 0): Dataset {
  const each = images / data.classes.length;
  if (!Number.isInteger(each))
    throw new ConfigError(
      `${images} training images cannot be equally many of each of ${data.classes.length} classes.`,
    );
  const taken = choose(data.train.labels, seed, () => each);
  if (taken.size < images)
    throw new ConfigError(
      `${data.source} has a class with fewer than ${each} training images, so that ${images} cannot be taken.`,
    );
  return {
    ...data,
    train: takeSamples(
      data.train,
      [...taken].sort((a, b) => a - b),
    ),
  };
}

/** Returns the data as a run with these options uses them: optionally with fewer training images and some held out. */
export function asTrained(
  data: Dataset,
  {
    trainImages,
    validation = 0,
    seed = 0,
    dataSeed = seed,
  }: { trainImages?: number | undefined; validation?: number; seed?: number; dataSeed?: number | undefined },
): Dataset {
  // The same images for every seed, so that runs with several seeds differ in nothing else.
  const whole = trainImages === undefined ? data : takeTraining(data, trainImages);
  return validation > 0 ? holdOut(whole, validation, dataSeed) : whole;
}

/** Chooses `wanted(members)` samples of each class at random. */
function choose(labels: Labels, seed: number, wanted: (members: number) => number): Set<number> {
  const ofClass = new Map<number, number[]>();
  for (let sample = 0; sample < labels.length; sample++) {
    const label = labels[sample] as number;
    const members = ofClass.get(label);
    if (members) members.push(sample);
    else ofClass.set(label, [sample]);
  }
  const taken = new Set<number>();
  for (const members of ofClass.values()) {
    const keyed = members.map((sample) => ({ sample, key: new SampleRandom(seed, streams.holdOut, sample).uniform() }));
    keyed.sort((a, b) => a.key - b.key || a.sample - b.sample);
    for (const { sample } of keyed.slice(0, wanted(members.length))) taken.add(sample);
  }
  return taken;
}

/** Returns a split of only these samples, in this order. No image is copied. */
export function takeSamples(split: Split, samples: readonly number[]): Split {
  const { labels, rows } = split;
  return {
    ...split,
    labels:
      labels.constructor === Uint8Array
        ? Uint8Array.from(samples, (i) => labels[i] as number)
        : Int32Array.from(samples, (i) => labels[i] as number),
    rows: Int32Array.from(samples, (i) => rows?.[i] ?? i),
  };
}
