import { checkCall, type Kinds } from '../call.js';
import { type Tensor, type TensorList, functions as torch } from '../tensor/index.js';
import { checkNotNegative, refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';
import { stacked } from './stacked.js';

const kinds: Kinds<ASGDOptions> = {
  lr: 'number',
  lambd: 'number',
  alpha: 'number',
  t0: 'number',
  weightDecay: 'number',
  maximize: 'boolean',
};

/** Options of {@link ASGD}. */
export interface ASGDOptions {
  /** Learning rate. Default 1e-2. */
  lr: number;
  /** Decay of the parameters. Default 1e-4. */
  lambd: number;
  /** Power of the learning rate's decay. Default 0.75. */
  alpha: number;
  /** The step at which averaging starts. Default 1e6. */
  t0: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: ASGDOptions = { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false };

/**
 * Averaged SGD (Polyak and Juditsky 1992), as torch.optim.ASGD, by foreach operators. The averages are in the state as
 * `ax`. Throws ConfigError if lr or weightDecay is below 0.
 */
export class ASGD extends Optimizer<ASGDOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<ASGDOptions>>, options: Partial<ASGDOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ weightDecay }: Group<ASGDOptions>): void {
    checkNotNegative({ weightDecay });
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup({ lr, lambd, alpha, t0, weightDecay, maximize }: Group<ASGDOptions>, index: number): void {
    const update = ({ members, params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      const [averages, rates, shares] = [state('ax'), state('eta'), state('mu')];
      let gradients: TensorList | Tensor[] = given;
      if (maximize) gradients = torch._foreachNeg(gradients);
      gradients = torch._foreachAdd(gradients, params, { alpha: weightDecay });
      gradients = torch._foreachAdd(gradients, params, { alpha: lambd });
      torch._foreachAddcmul_(params, gradients, rates, -1);
      torch._foreachAddcmul_(averages, torch._foreachSub(params, averages), shares, 1);
      const steps = stacked(this.state, members, 'step');
      const decayed = steps
        .mul(lambd * lr)
        .add(1)
        .pow(alpha)
        .reciprocal()
        .mul(lr);
      torch._foreachCopy_(rates, decayed.unbind());
      torch._foreachCopy_(shares, steps.sub(t0).clamp({ min: 1 }).reciprocal().unbind());
    };
    this.forEachReady(index, ['step', 'ax', 'eta', 'mu'], update, { eta: lr, mu: 1 });
  }
}
