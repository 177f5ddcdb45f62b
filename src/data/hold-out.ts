import { ConfigError } from '../errors.js';
import type { Dataset, Split } from './dataset.js';
import { SampleRandom, streams } from './philox.js';

/**
 * Takes a share of the training samples of each class out for validation; which ones, the seed decides. No image is copied. Throws
 * ConfigError where the share is not between 0 and 1, or leaves one of the two sides without a sample.
 */
export function holdOut(data: Dataset, share: number, seed = 0): Dataset {
  if (!(share > 0 && share < 1)) throw new ConfigError(`The share to hold out must be between 0 and 1, not ${share}.`);
  const { labels } = data.train;
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
    for (const { sample } of keyed.slice(0, Math.round(share * members.length))) taken.add(sample);
  }
  if (taken.size === 0 || taken.size === labels.length)
    throw new ConfigError(`A share of ${share} of ${labels.length} training images leaves none on one side.`);
  const samples = Array.from({ length: labels.length }, (_, sample) => sample);
  return {
    ...data,
    train: partOf(
      data.train,
      samples.filter((sample) => !taken.has(sample)),
    ),
    validation: partOf(
      data.train,
      samples.filter((sample) => taken.has(sample)),
    ),
  };
}

function partOf(split: Split, samples: number[]): Split {
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
