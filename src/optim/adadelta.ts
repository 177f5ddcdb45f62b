import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';

const kinds: Kinds<AdadeltaOptions> = {
  lr: 'number',
  rho: 'number',
  eps: 'number',
  weightDecay: 'number',
  maximize: 'boolean',
};

/** Options of {@link Adadelta}. */
export interface AdadeltaOptions {
  /** Learning rate. Default 1. */
  lr: number;
  /** Decay rate of both running averages. Default 0.9. */
  rho: number;
  /** Added under both square roots. Default 1e-6. */
  eps: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdadeltaOptions = { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false };

/**
 * Adadelta, as torch.optim.Adadelta, by foreach operators. Throws ConfigError if lr, eps or weightDecay is below 0,
 * or rho is not in [0, 1].
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParameterGroup<AdadeltaOptions>>,
    options: Partial<AdadeltaOptions> = {},
  ) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ rho, eps, weightDecay }: Group<AdadeltaOptions>): void {
    checkNotNegative({ rho, eps, weightDecay });
    if (rho > 1) throw new ConfigError(`rho must be at most 1, not ${rho}.`);
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup({ lr, rho, eps, weightDecay, maximize }: Group<AdadeltaOptions>, index: number): void {
    this.forEachReady(index, ['step', 'square_avg', 'acc_delta'], ({ params, gradients: given, state }) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      const [squares, changes] = [state('square_avg'), state('acc_delta')];
      torch._foreachMul_(squares, rho);
      torch._foreachAddcmul_(squares, gradients, gradients, 1 - rho);
      const deltas = rootOf(changes, eps);
      torch._foreachDiv_(deltas, rootOf(squares, eps));
      torch._foreachMul_(deltas, gradients);
      torch._foreachMul_(changes, rho);
      torch._foreachAddcmul_(changes, deltas, deltas, 1 - rho);
      torch._foreachAdd_(params, deltas, { alpha: -lr });
    });
  }
}

function rootOf(list: TensorList, eps: number): Tensor[] {
  const roots = torch._foreachAdd(list, eps);
  torch._foreachSqrt_(roots);
  return roots;
}
