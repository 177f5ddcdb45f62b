/**
 * Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): random bits as a pure function
 * of a key and a counter. Checked against the vectors of the authors' Random123.
 */

/** Returns the high 32 bits of the product of two unsigned 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + (middle >>> 16) + Math.floor(carry / 0x10000)) >>> 0;
}

export type Four = [number, number, number, number];

/** Returns four unsigned 32-bit random numbers for a counter of four words and a key of two. */
export function philox4x32([c0, c1, c2, c3]: Four, [k0, k1]: [number, number]): Four {
  let [a, b, c, d, key0, key1] = [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0, k0 >>> 0, k1 >>> 0];
  for (let round = 0; round < 10; round++) {
    // Written out: generating a data set calls this a million times, and destructuring an array costs as much as the
    // round.
    const high0 = highProduct(0xd2511f53, a);
    const high1 = highProduct(0xcd9e8d57, c);
    const low0 = Math.imul(0xd2511f53, a) >>> 0;
    const low1 = Math.imul(0xcd9e8d57, c) >>> 0;
    a = (high1 ^ b ^ key0) >>> 0;
    b = low1;
    c = (high0 ^ d ^ key1) >>> 0;
    d = low0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/**
 * Stream numbers of {@link SampleRandom}, so that no two decisions share bits. native/ops/views.cc uses 0 as the last
 * word of the counter, synthetic data sets use 0 and 1.
 */
export const streams = {
  resizedCrop: 16,
  flip: 17,
  colorJitter: 18,
  randAugment: 19,
  randomErasing: 20,
  mix: 21,
  holdOut: 22,
  cutout: 23,
  kMeans: 24,
} as const;

/** A stream of random numbers that belongs to one sample, or to one sample in one epoch. */
export class SampleRandom {
  #block = 0;
  #numbers: Four | undefined;
  #used = 4;

  constructor(
    readonly seed: number,
    readonly stream: number,
    readonly sample: number,
    readonly epoch = 0,
  ) {}

  /** Returns an unsigned 32-bit integer. */
  bits(): number {
    if (this.#used === 4) {
      this.#numbers = philox4x32(
        [this.#block++, this.epoch, this.sample, this.stream],
        [this.seed >>> 0, Math.floor(this.seed / 2 ** 32) >>> 0],
      );
      this.#used = 0;
    }
    return (this.#numbers as Four)[this.#used++] as number;
  }

  /** Returns a uniform number in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.bits() / 2 ** 32);
  }

  /** Returns an integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }
}
