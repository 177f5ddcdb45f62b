import { native } from '../native.js';
import { type Tensor, uncloneable } from '../tensor/index.js';

export interface ReducerOptions {
  /** Mebibytes of gradients that are sent at once. Default: an eighth of all, from 0.25 to 25. */
  bucketCapMb?: number;
  /** Mebibytes of the first bucket, so that sending begins soon. Default 1, and no more than the others. */
  firstBucketCapMb?: number;
  /** Whether a backward pass may leave parameters out. Default false. */
  findUnusedParameters?: boolean;
}

/** Seconds of all backward passes since the last look. */
export interface ReducerTimes {
  /** Buckets that the gradients lie in. */
  buckets: number;
  /** In which a bucket was on its way. */
  communicated: number;
  /** In which nothing but that was done, behind the backward pass. */
  waited: number;
}

/** Small networks have several buckets as well: the last one is sent when nothing is left that could hide it. */
function usualCap(parameters: readonly Tensor[]): number {
  const bytes = parameters.reduce((sum, parameter) => sum + parameter.numel() * parameter.elementSize(), 0);
  return Math.min(25, Math.max(0.25, bytes / 8 / 2 ** 20));
}

/** Means of the gradients of all ranks, in buckets that are on their way while the backward pass still runs. */
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

  /** The next backward pass sends what it accumulates. */
  arm(): void {
    native().armReducer(this.#handle);
  }

  /** Waits for what the pass sent; gradients are means afterwards. */
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
