import { checkCall, type Kinds } from '../call.js';
import { ConfigError } from '../errors.js';
import { noGrad, type Tensor, TensorList, functions as torch } from '../tensor/index.js';
import { refuseClosure } from './checks.js';
import { type DeviceStep, endStep } from './device-step.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';

const kinds: Kinds<SGDOptions> = {
  lr: 'number',
  momentum: 'number',
  dampening: 'number',
  weightDecay: 'number',
  nesterov: 'boolean',
  maximize: 'boolean',
};

/** Options of {@link SGD}. */
export interface SGDOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Default 0. */
  momentum: number;
  /** Part of the gradient that does not enter the momentum. Default 0. */
  dampening: number;
  /** L2 penalty. Default 0. */
  weightDecay: number;
  /** Uses Nesterov momentum; needs a momentum and no dampening. Default false. */
  nesterov: boolean;
  /** Ascends instead of descending. Default false. */
  maximize: boolean;
}

const defaults: SGDOptions = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false };

/** Stochastic gradient descent, as torch.optim.SGD, by the fused operator. */
export class SGD extends Optimizer<SGDOptions> {
  /** @internal */
  override readonly endsStep = true;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<SGDOptions>>, options: Partial<SGDOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ momentum, dampening, nesterov, weightDecay }: Group<SGDOptions>): void {
    if (!(momentum >= 0)) throw new ConfigError(`momentum must be at least 0, not ${momentum}.`);
    if (!(weightDecay >= 0)) throw new ConfigError(`weightDecay must be at least 0, not ${weightDecay}.`);
    if (nesterov && !(momentum > 0 && dampening === 0))
      throw new ConfigError('nesterov needs a momentum above 0 and a dampening of 0.');
  }

  step(onDevice?: DeviceStep): void {
    refuseClosure(onDevice);
    noGrad(() => {
      for (const [index, group] of this.paramGroups.entries()) this.stepGroup(index, group, onDevice);
    });
  }

  private stepGroup(
    index: number,
    { lr, momentum, dampening, weightDecay, nesterov, maximize }: SGDOptions,
    onDevice: DeviceStep | undefined,
  ): void {
    // The first gradient of a parameter becomes its momentum buffer as it is, undamped.
    const prepare = (param: Tensor) => {
      if (momentum === 0) return 'plain';
      if (this.state.has(param)) return 'later';
      // The buffer stays zero if the device skips the first step.
      this.remember(param, 'momentum_buffer', torch.zerosLike(param));
      return 'first';
    };
    for (const { stage, bucket } of this.ready(index, prepare, momentum === 0 ? [] : ['momentum_buffer'])) {
      const gradients = TensorList.gradients(bucket.params, 'fused sparse');
      const buffers = bucket.state.get('momentum_buffer') ?? [];
      const isFirstStep = stage === 'first';
      if (onDevice) {
        const numbers = [momentum, dampening, weightDecay, nesterov, maximize, isFirstStep];
        const { members, params } = bucket;
        endStep('sgd_', { members, lists: [params, gradients, buffers], index, numbers }, onDevice);
      } else {
        const options = { lr, momentum, dampening, weightDecay, nesterov, maximize, isFirstStep };
        torch._fusedSgd_(bucket.params, gradients, buffers, options);
      }
      gradients.dispose();
    }
  }
}
