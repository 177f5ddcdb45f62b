import { checkCall, type Kinds } from '../call.js';
import { DistributedError } from '../errors.js';
import { Module } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import { isInitialized } from './group.js';
import { broadcastNow } from './immediate.js';
import { Reducer, type ReducerOptions, type ReducerTimes } from './reducer.js';
import { broadcastState } from './state.js';

/** Options of {@link DistributedDataParallel}, as PyTorch's. */
export interface DataParallelOptions extends ReducerOptions {
  /** Gives all ranks the buffers of rank 0 before each forward in training mode. Default true. */
  broadcastBuffers?: boolean;
}

const kinds: Kinds<DataParallelOptions> = {
  bucketCapMb: 'number',
  firstBucketCapMb: 'number',
  findUnusedParameters: 'boolean',
  broadcastBuffers: 'boolean',
};

/** What can be computed of a module: one tensor from some. */
type Forward = (...inputs: never[]) => unknown;

/**
 * A module that is trained by several processes, each with its own share of a batch, as
 * torch.nn.parallel.DistributedDataParallel. All ranks begin with the weights of rank 0, and after `backward()` the
 * gradients are the means of those of all ranks.
 *
 *     await distributed.init();
 *     const model = new DistributedDataParallel(network);
 *     const loss = F.crossEntropy(model.forward(images), labels);
 *     model.backward(loss);
 *     optimizer.step();
 *
 * Gradients are sent in buckets while `backward` still runs.
 */
export class DistributedDataParallel<M extends Module & { forward: Forward }> extends Module {
  readonly #reducer: Reducer;
  readonly #broadcastBuffers: boolean;
  #synchronizes = true;

  /** Throws DistributedError without a group, and where ranks have other parameters. */
  constructor(
    readonly module: M,
    options: DataParallelOptions = {},
  ) {
    checkCall('new DistributedDataParallel', ['module'], kinds, arguments);
    super();
    if (!isInitialized())
      throw new DistributedError('DistributedDataParallel needs a process group: await distributed.init() first.');
    const { broadcastBuffers = true, ...reducer } = options;
    this.#broadcastBuffers = broadcastBuffers;
    broadcastState('module', module.stateDict());
    this.#reducer = new Reducer(
      [...module.parameters()].filter(({ requiresGrad }) => requiresGrad),
      reducer,
    );
  }

  forward(...inputs: Parameters<M['forward']>): ReturnType<M['forward']> {
    if (this.#broadcastBuffers && this.training && this.#synchronizes)
      broadcastNow([...this.module.namedBuffers()].map(([, buffer]) => buffer));
    return this.module.forward(...inputs) as ReturnType<M['forward']>;
  }

  /**
   * `loss.backward()`, and the mean of all ranks' gradients; inside {@link noSync} the gradients of this rank alone.
   */
  backward(loss: Tensor): void {
    if (!this.#synchronizes) {
      loss.backward();
      return;
    }
    this.#reducer.arm();
    loss.backward();
    this.#reducer.finish();
  }

  /** Runs `body`, in which gradients are accumulated without being sent; the next {@link backward} sends the sums. */
  noSync<T>(body: () => T): T {
    const before = this.#synchronizes;
    this.#synchronizes = false;
    try {
      return body();
    } finally {
      this.#synchronizes = before;
    }
  }

  /** How long gradients were on their way, and for how long of that the backward pass had ended. */
  takeTimes(): ReducerTimes {
    return this.#reducer.takeTimes();
  }

  /** Frees the buckets, and the module's parameters and buffers. */
  override dispose(): void {
    this.#reducer.dispose();
    super.dispose();
  }
}
