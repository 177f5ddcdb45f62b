import { native } from '../native.js';
import { type Tensor, uncloneable } from '../tensor/index.js';

export interface ReducerOptions {
  /** Size of a gradient bucket in MiB. Default: an eighth of all gradients, within 0.25 to 25. */
  bucketCapMb?: number;
  /** Size of the first bucket in MiB; a small one is sent early. Default 1, at most `bucketCapMb`. */
  firstBucketCapMb?: number;
  /** Whether a backward pass may leave parameters unused. Default false. */
  findUnusedParameters?: boolean;
}

/** Times in seconds, summed over all backward passes since the last call of takeTimes(). */
export interface ReducerTimes {
  /** Number of gradient buckets. */
  buckets: number;
  /** Seconds during which a bucket was in transfer. */
  communicated: number;
  /** Seconds of waiting for transfers after the end of the backward pass. */
  waited: number;
}

/** Default bucket size in MiB, small for small networks: no computation hides the transfer of the last bucket. */
function usualCap(parameters: readonly Tensor[]): number {
  const bytes = parameters.reduce((sum, parameter) => sum + parameter.numel() * parameter.elementSize(), 0);
  return Math.min(25, Math.max(0.25, bytes / 8 / 2 ** 20));
}

/** Averages gradients over all ranks, in buckets that are sent while the backward pass still runs. */
export class Reducer {
  readonly #handle: number;
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;

  constructor(
    parameters: readonly Tensor[],
    { bucketCapMb = usualCap(parameters), firstBucketCapMb = 1, findUnusedParameters = false }: ReducerOptions = {},
  ) {
    this.#handle = native().makeReducer(
      parameters.map((parameter) => parameter.handle),
      {
        bucketBytes: Math.round(bucketCapMb * 2 ** 20),
        firstBucketBytes: Math.round(Math.min(firstBucketCapMb, bucketCapMb) * 2 ** 20),
        findUnused: findUnusedParameters,
      },
    );
  }

  /** Makes the next backward pass send its gradients. */
  arm(): void {
    native().armReducer(this.#handle);
  }

  /** Waits for all transfers; afterwards the gradients are means over all ranks. */
  finish(): void {
    native().finishReducer(this.#handle);
  }

  takeTimes(): ReducerTimes {
    return native().reducerTimes(this.#handle);
  }

  dispose(): void {
    native().release(this.#handle);
  }
}
