import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import {
  float,
  keep,
  noGrad,
  scope,
  type Tensor,
  TensorList,
  functions as torch,
  uncloneable,
} from '../tensor/index.js';

const kinds: Kinds<GradScalerOptions> = {
  initScale: 'number',
  growthFactor: 'number',
  backoffFactor: 'number',
  growthInterval: 'number',
  device: 'string',
};

/** Options of {@link GradScaler}. */
export interface GradScalerOptions {
  /** Default 65536. */
  initScale?: number;
  /** The scale grows by this after `growthInterval` steps without overflow. Default 2. */
  growthFactor?: number;
  /** The scale shrinks by this at an overflow. Default 0.5. */
  backoffFactor?: number;
  /** Default 2000. */
  growthInterval?: number;
  /** Default `cpu`. */
  device?: string;
}

/** The part of an optimizer that a scaler uses. */
export interface ScaledOptimizer {
  readonly paramGroups: readonly { params: readonly Tensor[] }[];
  step(): void;
}

/**
 * Scales losses so that float16 gradients do not vanish, and skips steps whose gradients overflowed. As
 * torch.amp.GradScaler:
 *
 *     optimizer.zeroGrad(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update();
 */
export class GradScaler {
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;
  readonly #scale: Tensor;
  readonly #growthTracker: Tensor;
  readonly #foundInf: Tensor;
  readonly #growth: number;
  readonly #backoff: number;
  readonly #interval: number;
  readonly #unscaled = new WeakSet<ScaledOptimizer>();
  #pending: ScaledOptimizer[] = [];

  constructor(options: GradScalerOptions = {}) {
    checkCall('new optim.GradScaler', [], kinds, arguments);
    const { initScale = 65536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000, device = 'cpu' } = options;
    if (!(growthFactor > 1)) throw new ConfigError(`growthFactor must be above 1, not ${growthFactor}.`);
    if (!(backoffFactor < 1 && backoffFactor > 0))
      throw new ConfigError(`backoffFactor must be between 0 and 1, not ${backoffFactor}.`);
    this.#growth = growthFactor;
    this.#backoff = backoffFactor;
    this.#interval = growthInterval;
    const made = scope(() => [
      keep(torch.full([], float(initScale), { dtype: 'float32', device })),
      keep(torch.zeros([], { dtype: 'int32', device })),
      keep(torch.zeros([], { dtype: 'float32', device })),
    ]) as [Tensor, Tensor, Tensor];
    [this.#scale, this.#growthTracker, this.#foundInf] = made;
  }

  /** The loss times the scale, for backward(). */
  scale(loss: Tensor): Tensor {
    checkCall('scale', ['loss: tensor'], undefined, arguments);
    return loss.mul(this.#scale.to({ dtype: loss.dtype === 'float16' ? 'float32' : loss.dtype }));
  }

  /**
   * Divides the gradients of an optimizer's parameters by the scale, for clipping before step(). Call it at most once
   * between updates.
   */
  unscale_(optimizer: ScaledOptimizer): void {
    checkCall('unscale_', ['optimizer: optimizer'], undefined, arguments);
    if (this.#unscaled.has(optimizer)) throw new ConfigError('unscale_() was called already since the last update().');
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    noGrad(() =>
      scope(() => {
        const all = new TensorList(params);
        const have = native().haveGrads(all.handle);
        all.dispose();
        const trained = new TensorList(params.filter((_, i) => have[i]));
        const gradients = TensorList.gradients(trained, 'change');
        if (trained.length > 0)
          torch._ampForeachNonFiniteCheckAndUnscale_(
            gradients,
            this.#foundInf,
            this.#scale.double().reciprocal().float(),
          );
        gradients.dispose();
        trained.dispose();
      }),
    );
    this.#unscaled.add(optimizer);
    this.#pending.push(optimizer);
  }

  /** Unscales if not yet done, and steps unless a gradient is NaN or Inf. Returns whether it stepped. */
  step(optimizer: ScaledOptimizer): boolean {
    checkCall('step', ['optimizer: optimizer'], undefined, arguments);
    if (!this.#unscaled.has(optimizer)) this.unscale_(optimizer);
    const overflow = this.#foundInf.item() !== 0;
    if (!overflow) optimizer.step();
    return !overflow;
  }

  /** Adapts the scale, after the steps of an iteration. */
  update(): void {
    noGrad(() => {
      torch._ampUpdateScale_(
        this.#scale,
        this.#growthTracker,
        this.#foundInf,
        this.#growth,
        this.#backoff,
        this.#interval,
      );
      this.#foundInf.zero_();
    });
    for (const optimizer of this.#pending) this.#unscaled.delete(optimizer);
    this.#pending = [];
  }

  /**
   * State on the device, float32 []: scale, growth tracker, and 1 if a gradient overflowed since the last update.
   * @internal
   */
  get onDevice(): { scale: Tensor; growthTracker: Tensor; foundInf: Tensor } {
    return { scale: this.#scale, growthTracker: this.#growthTracker, foundInf: this.#foundInf };
  }

  getScale(): number {
    return Number(this.#scale.item());
  }

  stateDict(): { scale: number; growthTracker: number } {
    return { scale: this.getScale(), growthTracker: Number(this.#growthTracker.item()) };
  }

  loadStateDict(state: { scale: number; growthTracker: number }): void {
    checkCall('loadStateDict', ['state: object'], undefined, arguments);
    const { scale, growthTracker } = state;
    noGrad(() => {
      this.#scale.fill_(float(scale));
      this.#growthTracker.fill_(growthTracker);
    });
  }

  dispose(): void {
    for (const tensor of [this.#scale, this.#growthTracker, this.#foundInf]) tensor.dispose();
  }
}
