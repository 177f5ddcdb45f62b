import { broadcastNow } from '../distributed/immediate.js';
import { Reducer, type ReducerTimes } from '../distributed/reducer.js';
import { broadcastState } from '../distributed/state.js';
import type { Module } from '../nn/index.js';
import type { AnyOptimizer } from './optimizer.js';
import type { EffectiveTrainOptions } from './options.js';

/** What several processes do to train the same weights: equal initial states, means of gradients, equal statistics. */
export class JointSteps {
  #reducer: Reducer | undefined;

  /** Copies the state of the first process to all others. */
  constructor(
    private readonly modules: Readonly<Record<string, Module>>,
    private readonly options: EffectiveTrainOptions,
  ) {
    for (const [name, module] of Object.entries(modules)) broadcastState(name, module.stateDict());
  }

  /** Averages the gradients; undefined before {@link open}. */
  get reducer(): Reducer | undefined {
    return this.#reducer;
  }

  /** Creates the reducer of gradients. On a device it is fixed to the parameters that now have a gradient. */
  open(optimizer: AnyOptimizer): void {
    const onHost = this.options.device === 'cpu';
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    const trained = params.filter(({ requiresGrad, grad }) => requiresGrad && (onHost || grad));
    this.dispose();
    this.#reducer = new Reducer(trained, { findUnusedParameters: onHost });
  }

  /** Copies the statistics of the first process to all others, if each has its own. */
  settleBuffers(): void {
    if (this.options.syncBatchNorm) return;
    const modules = Object.values(this.modules);
    broadcastNow(modules.flatMap((module) => [...module.namedBuffers()].map(([, buffer]) => buffer)));
  }

  /** Returns the times of sending gradients since the last call. */
  takeTimes(): ReducerTimes | undefined {
    return this.#reducer?.takeTimes();
  }

  dispose(): void {
    this.#reducer?.dispose();
    this.#reducer = undefined;
  }
}
