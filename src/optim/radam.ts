import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkBetas, checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<RAdamOptions> = {
  lr: 'number',
  betas: 'any',
  eps: 'number',
  weightDecay: 'number',
  decoupledWeightDecay: 'boolean',
  maximize: 'boolean',
};

/** Options of {@link RAdam}. */
export interface RAdamOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay rates of the running averages of the gradient and of its square. Default [0.9, 0.999]. */
  betas: [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Weight decay acts on the parameter as in AdamW, not through the gradient. Default false. */
  decoupledWeightDecay: boolean;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: RAdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  decoupledWeightDecay: false,
  maximize: false,
};

/**
 * Adam that adapts step sizes only once their variance is known (Liu et al. 2020), as torch.optim.RAdam, by foreach
 * operators. Throws ConfigError if lr, eps or weightDecay is below 0, or one of the betas is not in [0, 1).
 */
export class RAdam extends Optimizer<RAdamOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<RAdamOptions>>, options: Partial<RAdamOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ betas, eps, weightDecay }: Group<RAdamOptions>): void {
    checkBetas(betas);
    checkNotNegative({ eps, weightDecay });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup(group: Group<RAdamOptions>, index: number): void {
    const { lr, betas, eps, weightDecay, decoupledWeightDecay, maximize } = group;
    const [beta1, beta2] = betas;
    const update = ({ members, params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (decoupledWeightDecay) torch._foreachMul_(params, 1 - lr * weightDecay);
      else if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      const [average, square] = [state('exp_avg'), state('exp_avg_sq')];
      torch._foreachLerp_(average, gradients, 1 - beta1);
      torch._foreachMul_(square, beta2);
      torch._foreachAddcmul_(square, gradients, gradients, 1 - beta2);

      // Each parameter has a step number of its own; what depends on it is computed for all of them at once.
      const { adapted, plain } = rates(stacked(this.state, members, 'step'), betas);
      const factors = torch._foreachSqrt(square);
      torch._foreachAdd_(factors, eps);
      torch._foreachReciprocal_(factors);
      torch._foreachMul_(factors, adapted.unbind());
      torch._foreachAdd_(factors, plain.unbind());
      torch._foreachAddcmul_(params, average, factors, -lr);
    };
    this.forEachReady(index, ['step', 'exp_avg', 'exp_avg_sq'], update);
  }
}

/** Factors of the adapted and of the plain step; one of the two is 0 for each parameter. */
function rates(steps: Tensor, [beta1, beta2]: [number, number]): { adapted: Tensor; plain: Tensor } {
  const [average, square] = [torch.pow(beta1, steps).rsub(1), torch.pow(beta2, steps).rsub(1)];
  const longest = 2 / (1 - beta2) - 1;
  // Length of the simple moving average that the exponential one approximates.
  const length = steps.mul(2).mul(square.rsub(1)).div(square).rsub(longest);
  const known = length.gt(5);
  const rectified = length
    .sub(4)
    .mul(length.sub(2))
    .mul(longest)
    .div(length.mul((longest - 4) * (longest - 2)))
    .sqrt();
  const zero = torch.zerosLike(steps);
  return {
    adapted: torch.where(known, rectified.mul(square.sqrt()), zero).div(average),
    plain: torch.where(known, zero, torch.onesLike(steps)).div(average),
  };
}
