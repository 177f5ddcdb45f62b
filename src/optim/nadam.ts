import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkBetas, checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<NAdamOptions> = {
  lr: 'number',
  betas: 'any',
  eps: 'number',
  weightDecay: 'number',
  momentumDecay: 'number',
  decoupledWeightDecay: 'boolean',
  maximize: 'boolean',
};

/** Options of {@link NAdam}. */
export interface NAdamOptions {
  /** Learning rate. Default 2e-3. */
  lr: number;
  /** Decay rates of the running averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** How fast the momentum rises to its final value. Default 4e-3. */
  momentumDecay: number;
  /** Weight decay acts on the parameter as in AdamW, not through the gradient. Default false. */
  decoupledWeightDecay: boolean;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: NAdamOptions = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  decoupledWeightDecay: false,
  maximize: false,
};

/**
 * Adam with Nesterov momentum, as torch.optim.NAdam, by foreach operators. Throws ConfigError if lr, eps,
 * weightDecay or momentumDecay is below 0, or one of the betas is not in [0, 1).
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<NAdamOptions>>, options: Partial<NAdamOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ betas, eps, weightDecay, momentumDecay }: Group<NAdamOptions>): void {
    checkBetas(betas);
    checkNotNegative({ eps, weightDecay, momentumDecay });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup(group: Group<NAdamOptions>, index: number): void {
    const { lr, betas, eps, weightDecay, momentumDecay, decoupledWeightDecay, maximize } = group;
    const [beta1, beta2] = betas;
    const names = ['step', 'mu_product', 'exp_avg', 'exp_avg_sq'];
    const update = ({ members, params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (decoupledWeightDecay) torch._foreachMul_(params, 1 - lr * weightDecay);
      else if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      const [average, square, products] = [state('exp_avg'), state('exp_avg_sq'), state('mu_product')];
      torch._foreachLerp_(average, gradients, 1 - beta1);
      torch._foreachMul_(square, beta2);
      torch._foreachAddcmul_(square, gradients, gradients, 1 - beta2);

      // Each parameter has a step number of its own; what depends on it is computed for all of them at once.
      const steps = stacked(this.state, members, 'step');
      const momentumOf = (at: Tensor) => torch.pow(0.96, at.mul(momentumDecay)).mul(-0.5).add(1).mul(beta1);
      const [now, next] = [momentumOf(steps), momentumOf(steps.add(1))];
      torch._foreachMul_(products, now.unbind());
      const product = stacked(this.state, members, 'mu_product');
      const correction = torch.pow(beta2, steps).rsub(1);
      const size = torch._foreachDiv(square, correction.unbind());
      torch._foreachSqrt_(size);
      torch._foreachAdd_(size, eps);
      const ofGradient = now.rsub(1).div(product.rsub(1)).mul(-lr);
      const ofAverage = next.div(product.mul(next).rsub(1)).mul(-lr);
      torch._foreachAddcdiv_(params, torch._foreachMul(gradients, ofGradient.unbind()), size, 1);
      torch._foreachAddcdiv_(params, torch._foreachMul(average, ofAverage.unbind()), size, 1);
    };
    this.forEachReady(index, names, update, { mu_product: 1 });
  }
}
