import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<AdagradOptions> = {
  lr: 'number',
  lrDecay: 'number',
  weightDecay: 'number',
  initialAccumulatorValue: 'number',
  eps: 'number',
  maximize: 'boolean',
};

/** Options of {@link Adagrad}. */
export interface AdagradOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** The learning rate of step t is lr / (1 + (t - 1) lrDecay). Default 0. */
  lrDecay: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Initial value of the sum of squares. Default 0. */
  initialAccumulatorValue: number;
  /** Added to the denominator. Default 1e-10. */
  eps: number;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdagradOptions = {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  maximize: false,
};

/**
 * Adagrad, as torch.optim.Adagrad, by foreach operators. Throws ConfigError if lr, lrDecay, weightDecay,
 * initialAccumulatorValue or eps is below 0.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParameterGroup<AdagradOptions>>,
    options: Partial<AdagradOptions> = {},
  ) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ lrDecay, weightDecay, initialAccumulatorValue, eps }: Group<AdagradOptions>): void {
    checkNotNegative({ lrDecay, weightDecay, initialAccumulatorValue, eps });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup(group: Group<AdagradOptions>, index: number): void {
    const { lr, lrDecay, weightDecay, initialAccumulatorValue: sum, eps, maximize } = group;
    const update = ({ members, params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      torch._foreachAddcmul_(state('sum'), gradients, gradients, 1);
      const size = torch._foreachSqrt(state('sum'));
      torch._foreachAdd_(size, eps);
      if (lrDecay === 0) torch._foreachAddcdiv_(params, gradients, size, -lr);
      else {
        const rates = stacked(this.state, members, 'step').sub(1).mul(lrDecay).add(1).reciprocal().mul(-lr);
        torch._foreachAddcdiv_(params, torch._foreachMul(gradients, rates.unbind()), size, 1);
      }
    };
    this.forEachReady(index, ['step', 'sum'], update, { sum });
  }
}
