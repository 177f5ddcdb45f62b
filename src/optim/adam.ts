import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { checkBetas, checkNotNegative, refuseClosure } from './checks.js';
import { type DeviceStep, endStep } from './device-step.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';

/** @internal */
export const kinds: Kinds<AdamOptions> = {
  lr: 'number',
  betas: 'any',
  eps: 'number',
  weightDecay: 'number',
  amsgrad: 'boolean',
  maximize: 'boolean',
};

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay rates of the running averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** In Adam an L2 penalty, default 0; in AdamW decoupled weight decay, default 1e-2. */
  weightDecay: number;
  /** Divides by the largest average of the square so far. Default false. */
  amsgrad: boolean;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/**
 * Adam, as torch.optim.Adam, by the fused operator. Throws ConfigError if lr, eps or weightDecay is below 0, or one
 * of the betas is not in [0, 1).
 */
export class Adam extends Optimizer<AdamOptions> {
  protected override readonly fused = true;
  /** @internal */
  override readonly endsStep = true;
  /** Weight decay acts on the parameter, not through the gradient. */
  protected readonly decoupled: boolean = false;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ betas, eps, weightDecay }: Group<AdamOptions>): void {
    checkBetas(betas);
    checkNotNegative({ eps, weightDecay });
  }

  step(onDevice?: DeviceStep): void {
    refuseClosure(onDevice);
    this.forEachGroup((group, index) => this.stepGroup(group, index, onDevice));
  }

  private stepGroup(
    { lr, betas, eps, weightDecay, amsgrad, maximize }: Group<AdamOptions>,
    index: number,
    onDevice: DeviceStep | undefined,
  ): void {
    const names = ['step', 'exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])];
    const fused = this.decoupled ? torch._fusedAdamw_ : torch._fusedAdam_;
    const [beta1, beta2] = betas;
    this.forEachReady(index, names, ({ members, params, gradients, state }) => {
      const largest = amsgrad ? state('max_exp_avg_sq') : [];
      const [average, square, steps] = [state('exp_avg'), state('exp_avg_sq'), state('step')];
      if (onDevice) {
        torch._foreachAdd_(steps, onDevice.foundInf.rsub(1));
        const numbers = [beta1, beta2, weightDecay, eps, maximize, this.decoupled];
        const lists = [params, gradients, average, square, largest, steps];
        endStep('adam_', { members, lists, index, numbers }, onDevice);
      } else {
        torch._foreachAdd_(steps, 1);
        const options = { lr, beta1, beta2, weightDecay, eps, amsgrad, maximize };
        fused(params, gradients, average, square, largest, steps, options);
      }
    });
  }
}
