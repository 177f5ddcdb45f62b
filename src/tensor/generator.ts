import { show } from '../argument-kinds.js';
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type Handle, native } from '../native.js';
import { uncloneable } from './conversion.js';
import { owned } from './ownership.js';
import { keep } from './scope.js';
import { Tensor } from './tensor.js';

/** Whole numbers from 0 to 2^53, or a bigint below 2^64. */
export type Seed = number | bigint;

export function seedOf(seed: Seed): bigint {
  const whole = typeof seed === 'bigint' || (Number.isSafeInteger(seed) && seed >= 0);
  const big = whole ? BigInt(seed) : -1n;
  if (big < 0n || big >= 1n << 64n)
    throw new ArgumentError(`${show(seed)} is not a seed: it must be a whole number from 0 to 2^64 - 1.`);
  return big;
}

/** An independent random number generator on the CPU: pass it to random operators as `{ generator }`. */
export class Generator {
  /** @internal */
  readonly handle: Handle;
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;

  constructor(seed: Seed) {
    checkCall('new Generator', ['seed'], undefined, arguments);
    this.handle = native().createGenerator(seedOf(seed));
    native().keep(this.handle);
    registry.register(this, this.handle);
  }

  /** The seed passed to the constructor. */
  initialSeed(): bigint {
    return native().generatorSeed(this.handle);
  }

  /** The whole state, as a uint8 tensor. */
  getState(): Tensor {
    return owned(new Tensor(native().generatorState(this.handle)));
  }

  /** Restores a state returned by {@link getState}. */
  setState(state: Tensor): void {
    checkCall('setState', ['state: tensor'], undefined, arguments);
    native().setGeneratorState(this.handle, state.handle);
  }
}

const registry = new FinalizationRegistry<Handle>((handle) => native().release(handle));

/** Seeds the default generators of the CPU and of every accelerator. */
export function manualSeed(seed: Seed): void {
  native().manualSeed(seedOf(seed));
}

/** The state of a device's default generator, as torch.get_rng_state and torch.cuda.get_rng_state. */
export const getRngState = (device = 'cpu'): Tensor => owned(new Tensor(native().generatorState(device)));

/** Restores a state returned by {@link getRngState} in a device's default generator. */
export function setRngState(state: Tensor, device = 'cpu'): void {
  checkCall('setRngState', ['state: tensor', 'device?: text'], undefined, arguments);
  native().setGeneratorState(device, state.handle);
}

/** Seeds the default generators with a number that nobody knows beforehand, and returns it. */
export function seed(): bigint {
  const [chosen] = crypto.getRandomValues(new BigUint64Array(1));
  manualSeed(chosen as bigint);
  return chosen as bigint;
}

/** The seed of the CPU's default generator. */
export function initialSeed(): bigint {
  // The state of libtorch's generator on the CPU begins with its seed.
  return new DataView(getRngState().toTypedArray().buffer).getBigUint64(0, true);
}

/**
 * Runs `body` and restores the default generators of these devices, so that what is drawn in it changes nothing that is
 * drawn later. As torch.random.fork_rng. `body` must be synchronous.
 */
export function forkRng<T>(body: () => T, devices: readonly string[] = native().devices()): T {
  checkCall('forkRng', ['body: function', 'devices?: list'], undefined, arguments);
  const before = devices.map((device) => keep(getRngState(device)));
  try {
    return body();
  } finally {
    for (const [i, state] of before.entries()) {
      setRngState(state, devices[i] as string);
      state.dispose();
    }
  }
}
