import { ArgumentError } from '../errors.js';
import { type Handle, native } from '../native.js';

/** Whole numbers from 0 to 2^53, or a bigint below 2^64. */
export type Seed = number | bigint;

export function seedOf(seed: Seed): bigint {
  const whole = typeof seed === 'bigint' || (Number.isSafeInteger(seed) && seed >= 0);
  const big = whole ? BigInt(seed) : -1n;
  if (big < 0n || big >= 1n << 64n)
    throw new ArgumentError(`${seed} is no seed: it must be a whole number from 0 to 2^64 - 1.`);
  return big;
}

/** A source of randomness of its own on the CPU: give it to random operators as `{ generator }`. */
export class Generator {
  /** @internal */
  readonly handle: Handle;

  constructor(seed: Seed) {
    this.handle = native().createGenerator(seedOf(seed));
    native().keep(this.handle);
    registry.register(this, this.handle);
  }
}

const registry = new FinalizationRegistry<Handle>((handle) => native().release(handle));

/** Seeds the default generators of the CPU and of every accelerator. */
export function manualSeed(seed: Seed): void {
  native().manualSeed(seedOf(seed));
}
