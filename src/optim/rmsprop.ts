import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';

const kinds: Kinds<RMSpropOptions> = {
  lr: 'number',
  alpha: 'number',
  eps: 'number',
  weightDecay: 'number',
  momentum: 'number',
  centered: 'boolean',
  maximize: 'boolean',
};

/** Options of {@link RMSprop}. */
export interface RMSpropOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** Decay rate of the running average of the gradient's square. Default 0.99. */
  alpha: number;
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Default 0. */
  momentum: number;
  /** Divides by the gradient's standard deviation instead of its root mean square. Default false. */
  centered: boolean;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: RMSpropOptions = {
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  maximize: false,
};

/**
 * RMSprop, as torch.optim.RMSprop, by foreach operators. Throws ConfigError if lr, alpha, eps, weightDecay or
 * momentum is below 0.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(
    params: Iterable<Tensor> | Iterable<ParameterGroup<RMSpropOptions>>,
    options: Partial<RMSpropOptions> = {},
  ) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ alpha, eps, weightDecay, momentum }: Group<RMSpropOptions>): void {
    checkNotNegative({ alpha, eps, weightDecay, momentum });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup(group: Group<RMSpropOptions>, index: number): void {
    const { lr, alpha, eps, weightDecay, momentum, centered, maximize } = group;
    const names = [
      'step',
      'square_avg',
      ...(momentum > 0 ? ['momentum_buffer'] : []),
      ...(centered ? ['grad_avg'] : []),
    ];
    this.forEachReady(index, names, ({ params, gradients: given, state }) => {
      torch._foreachAdd_(state('step'), 1);
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      if (weightDecay !== 0) gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      const squares = state('square_avg');
      torch._foreachMul_(squares, alpha);
      torch._foreachAddcmul_(squares, gradients, gradients, 1 - alpha);
      const size = centered ? deviation(squares, state('grad_avg'), gradients, alpha) : torch._foreachSqrt(squares);
      torch._foreachAdd_(size, eps);
      if (momentum > 0) {
        torch._foreachMul_(state('momentum_buffer'), momentum);
        torch._foreachAddcdiv_(state('momentum_buffer'), gradients, size);
        torch._foreachAdd_(params, state('momentum_buffer'), { alpha: -lr });
      } else {
        torch._foreachAddcdiv_(params, gradients, size, -lr);
      }
    });
  }
}

function deviation(squares: TensorList, means: TensorList, gradients: TensorList | Tensor[], alpha: number): Tensor[] {
  torch._foreachLerp_(means, gradients, 1 - alpha);
  const variances = torch._foreachAddcmul(squares, means, means, -1);
  torch._foreachSqrt_(variances);
  return variances;
}
