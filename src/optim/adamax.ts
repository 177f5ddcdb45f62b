import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkBetas, checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<AdamaxOptions> = {
  lr: 'number',
  betas: 'any',
  eps: 'number',
  weightDecay: 'number',
  maximize: 'boolean',
};

/** Options of {@link Adamax}. */
export interface AdamaxOptions {
  /** Learning rate. Default 2e-3. */
  lr: number;
  /** Decay rates of the running average of the gradient and of its largest magnitude. Default [0.9, 0.999]. */
  betas: [number, number];
  /** Added to the magnitude of the gradient. Default 1e-8. */
  eps: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdamaxOptions = { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/**
 * Adam with the infinity norm, as torch.optim.Adamax, by foreach operators. Throws ConfigError if lr, eps or
 * weightDecay is below 0, or one of the betas is not in [0, 1).
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParameterGroup<AdamaxOptions>>,
    options: Partial<AdamaxOptions> = {},
  ) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ betas, eps, weightDecay }: Group<AdamaxOptions>): void {
    checkBetas(betas);
    checkNotNegative({ eps, weightDecay });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup({ lr, betas, eps, weightDecay, maximize }: Group<AdamaxOptions>, index: number): void {
    const [beta1, beta2] = betas;
    const update = ({ members, params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      const [average, largest] = [state('exp_avg'), state('exp_inf')];
      torch._foreachLerp_(average, gradients, 1 - beta1);
      const magnitudes = torch._foreachAbs(gradients);
      torch._foreachAdd_(magnitudes, eps);
      torch._foreachMul_(largest, beta2);
      torch._foreachMaximum_(largest, magnitudes);
      const rates = torch
        .pow(beta1, stacked(this.state, members, 'step'))
        .rsub(1)
        .reciprocal()
        .mul(-lr);
      torch._foreachAddcdiv_(params, torch._foreachMul(average, rates.unbind()), largest, 1);
    };
    this.forEachReady(index, ['step', 'exp_avg', 'exp_inf'], update);
  }
}
