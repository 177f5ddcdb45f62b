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
  /** Broadcasts the buffers of rank 0 to all ranks before each forward in training mode. Default true. */
  broadcastBuffers?: boolean;
}

const kinds: Kinds<DataParallelOptions> = {
  bucketCapMb: 'number',
  firstBucketCapMb: 'number',
  findUnusedParameters: 'boolean',
  broadcastBuffers: 'boolean',
};

/** The forward method of the wrapped module. */
type Forward = (...inputs: never[]) => unknown;

/**
 * Trains a module on several processes, each with its own share of a batch, as
 * torch.nn.parallel.DistributedDataParallel. All ranks begin with the weights of rank 0; after `backward()`, each
 * gradient is the mean over all ranks.
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

  /** Throws DistributedError if there is no group or if the ranks' parameters differ. */
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
   * Runs `loss.backward()` and averages the gradients over all ranks; inside {@link noSync}, they stay this rank's own.
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

  /** Runs `body` and accumulates gradients without sending them; the next {@link backward} sends the sums. */
  noSync<T>(body: () => T): T {
    const before = this.#synchronizes;
    this.#synchronizes = false;
    try {
      return body();
    } finally {
      this.#synchronizes = before;
    }
  }

  /** Returns how long gradients were in transfer, and how much of that was after the end of the backward pass. */
  takeTimes(): ReducerTimes {
    return this.#reducer.takeTimes();
  }

  /** Frees the buckets, and the module's parameters and buffers. */
  override dispose(): void {
    this.#reducer.dispose();
    super.dispose();
  }
}
