import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import {
  keep,
  noGrad,
  type Tensor,
  type TensorHolder,
  TensorList,
  functions as torch,
  uncloneable,
} from '../tensor/index.js';
import { copyAll_ } from './many.js';

const kinds: Kinds<EMAOptions> = { decay: 'number', warmUp: 'boolean' };

/** An object with named tensors that can be averaged, such as a Module. */
export interface Averageable {
  namedParameters(): Iterable<[string, Tensor]>;
  namedBuffers(): Iterable<[string, Tensor]>;
}

/** Options of {@link EMA}. */
export interface EMAOptions {
  /** Weight of the old average in each update. Default 0.999. */
  decay?: number;
  /** Begins with less decay, (1 + n) / (10 + n) at update n from 0, until that reaches `decay`. Default false. */
  warmUp?: boolean;
}

/** State of an {@link EMA}, for checkpoints. */
export interface EMAState {
  /** The number of updates so far. */
  updates: number;
  /** Averaged parameters and copied buffers by name. */
  averages: Record<string, Tensor>;
}

/**
 * A copy of a module whose parameters are exponential moving averages of the module's, and whose buffers are the
 * module's; as torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn. It begins as a copy of the module. Throws
 * ConfigError if decay is not in [0, 1] or there are no parameters.
 */
export class EMA implements TensorHolder {
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;
  readonly decay: number;
  readonly warmUp: boolean;
  /** The number of updates so far. */
  updates = 0;
  readonly #parameters: Followed;
  readonly #buffers: Followed;

  constructor(source: Averageable, options: EMAOptions = {}) {
    checkCall('new optim.EMA', ['source: model'], kinds, arguments);
    const { decay = 0.999, warmUp = false } = options;
    if (!(decay >= 0 && decay <= 1)) throw new ConfigError(`decay must be from 0 to 1, not ${decay}.`);
    const parameters = [...source.namedParameters()];
    if (parameters.length === 0) throw new ConfigError('EMA received a module without parameters.');
    this.decay = decay;
    this.warmUp = warmUp;
    this.#parameters = new Followed(parameters);
    this.#buffers = new Followed([...source.namedBuffers()]);
  }

  /** Updates the averages with the module's current parameters and buffers; usually after each optimizer step. */
  update(): void {
    const decay = this.decayNow();
    noGrad(() => {
      torch._foreachLerp_(this.#parameters.copies, this.#parameters.sources, 1 - decay);
      if (this.#buffers.sources.length > 0) torch._foreachCopy_(this.#buffers.copies, this.#buffers.sources);
    });
    this.updates++;
  }

  /** The weight of the old average in the next update. */
  protected decayNow(): number {
    return this.warmUp ? Math.min(this.decay, (1 + this.updates) / (10 + this.updates)) : this.decay;
  }

  /** The average of a parameter. @internal */
  averageOf(parameter: Tensor): Tensor | undefined {
    return this.#parameters.bySource.get(parameter);
  }

  /**
   * Like {@link update}, with a weight on the device: `weight` (one element) is that of the module's parameters, 0 for
   * no change. Averages of the parameters in `moved` are already updated. The caller must count {@link updates}.
   * @internal
   */
  updateBy(weight: Tensor, moved: ReadonlySet<Tensor> = new Set()): void {
    const left = [...this.#parameters.bySource].filter(([source]) => !moved.has(source));
    noGrad(() => {
      if (left.length > 0) {
        const copies = left.map(([, copy]) => copy);
        const differences = torch._foreachSub(
          left.map(([source]) => source),
          copies,
        );
        torch._foreachMul_(differences, weight);
        torch._foreachAdd_(copies, differences);
        for (const difference of differences) difference.dispose();
      }
      copyAll_(this.#buffers.copies, this.#buffers.sources);
    });
  }

  /** Averaged parameters and copied buffers by name. The tensors share this object's memory. */
  averagedStateDict(): Record<string, Tensor> {
    return Object.fromEntries([...this.#parameters.byName, ...this.#buffers.byName]);
  }

  /** Copies averages and buffers into `target`. Throws ConfigError if its names differ; it is then unchanged. */
  copyTo(target: Averageable): void {
    copyAll(this.averagedStateDict(), Object.fromEntries([...target.namedParameters(), ...target.namedBuffers()]));
  }

  /** State for {@link loadStateDict}. The tensors share this object's memory. */
  stateDict(): EMAState {
    return { updates: this.updates, averages: this.averagedStateDict() };
  }

  /** Copies a state into this object. Throws ConfigError if its names differ; nothing is then changed. */
  loadStateDict(state: EMAState): void {
    checkCall('loadStateDict', ['state: object'], undefined, arguments);
    const { updates, averages } = state;
    copyAll(averages, this.averagedStateDict());
    this.updates = updates;
  }

  *heldTensors(): Generator<Tensor> {
    yield* Object.values(this.averagedStateDict());
  }

  /** Frees the averages; the module stays. */
  dispose(): void {
    this.#parameters.dispose();
    this.#buffers.dispose();
  }
}

/** Tensors and copies of them, by name and as lists on the native side. */
class Followed {
  readonly byName: Map<string, Tensor>;
  readonly bySource: Map<Tensor, Tensor>;
  readonly sources: TensorList;
  readonly copies: TensorList;

  constructor(named: [string, Tensor][]) {
    this.byName = new Map(named.map(([name, tensor]) => [name, keep(noGrad(() => tensor.clone()))]));
    this.bySource = new Map(named.map(([name, tensor]) => [tensor, this.byName.get(name) as Tensor]));
    this.sources = new TensorList(named.map(([, tensor]) => tensor));
    this.copies = new TensorList([...this.byName.values()]);
  }

  dispose(): void {
    for (const item of [this.sources, this.copies, ...this.byName.values()]) item.dispose();
  }
}

function copyAll(from: Record<string, Tensor>, to: Record<string, Tensor>): void {
  const differing = [
    ...Object.keys(to).filter((name) => !Object.hasOwn(from, name)),
    ...Object.keys(from).filter((name) => !Object.hasOwn(to, name)),
  ];
  if (differing.length > 0) throw new ConfigError(`Only one of the two sides has ${differing.slice(0, 5).join(', ')}.`);
  noGrad(() => {
    for (const [name, target] of Object.entries(to)) target.copy_(from[name] as Tensor);
  });
}
