import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { refuseClosure } from './checks.js';
import { type Group, type Lists, Optimizer, type ParameterGroup } from './optimizer.js';

const kinds: Kinds<RpropOptions> = { lr: 'number', etas: 'any', stepSizes: 'any', maximize: 'boolean' };

/** Options of {@link Rprop}. */
export interface RpropOptions {
  /** Initial step size of every element. Default 1e-2. */
  lr: number;
  /** Factors of the step size where the gradient's sign has changed and where it has not. Default [0.5, 1.2]. */
  etas: [number, number];
  /** Smallest and largest step size. Default [1e-6, 50]. */
  stepSizes: [number, number];
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: RpropOptions = { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false };

/**
 * Resilient backpropagation: steps by the gradient's sign alone, as torch.optim.Rprop, for gradients of the whole data
 * set. Throws ConfigError if lr is below 0, or not 0 < etas[0] < 1 < etas[1].
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<RpropOptions>>, options: Partial<RpropOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ etas: [down = 0, up = 0] }: Group<RpropOptions>): void {
    if (!(down > 0 && down < 1 && up > 1))
      throw new ConfigError(`etas must be a number from above 0 to below 1, and one above 1, not [${down}, ${up}].`);
  }

  step(closure?: undefined): void {
    refuseClosure(closure);
    this.forEachGroup((group, index) => this.stepGroup(group, index));
  }

  private stepGroup({ lr, etas, stepSizes, maximize }: Group<RpropOptions>, index: number): void {
    const [down, up] = etas;
    const update = ({ params, gradients: given, state }: Lists) => {
      torch._foreachAdd_(state('step'), 1);
      const signs = torch._foreachSign(given);
      if (maximize) torch._foreachNeg_(signs);
      const [before, sizes] = [state('prev'), state('step_size')];
      const turns = torch._foreachSign(torch._foreachMul(signs, before));
      const turned = turns.map((turn) => turn.lt(0));
      const factors = turns.map((turn, i) => torch.onesLike(turn).maskedFill(turned[i] as Tensor, down));
      for (const [i, turn] of turns.entries()) factors[i]?.maskedFill_(turn.gt(0), up);
      torch._foreachMul_(sizes, factors);
      torch._foreachClampMin_(sizes, stepSizes[0]);
      torch._foreachClampMax_(sizes, stepSizes[1]);
      // An element whose gradient has changed sign waits for one step.
      for (const [i, sign] of signs.entries()) sign.maskedFill_(turned[i] as Tensor, 0);
      torch._foreachAddcmul_(params, signs, sizes, -1);
      const gradients = maximize ? torch._foreachNeg(given) : torch._foreachMul(given, 1);
      for (const [i, gradient] of gradients.entries()) gradient.maskedFill_(turned[i] as Tensor, 0);
      torch._foreachCopy_(before, gradients);
    };
    this.forEachReady(index, ['step', 'prev', 'step_size'], update, { step_size: lr });
  }
}
