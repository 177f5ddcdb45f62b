import { ConfigError } from '../errors.js';
import { noGrad, type Tensor, TensorList, functions as torch } from '../tensor/index.js';
import { Optimizer, type ParameterGroup } from './optimizer.js';

export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay of the averages of gradient and squared gradient. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Default 0 for Adam (an L2 penalty) and 0.01 for AdamW (taken from the weights directly). */
  weightDecay: number;
  /** Divides by the largest average of squares so far. Default false. */
  amsgrad: boolean;
  /** Climbs instead of descending. Default false. */
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
const averages = ['exp_avg', 'exp_avg_sq'];

/** Adam, as torch.optim.Adam, by the fused operator. */
export class Adam extends Optimizer<AdamOptions> {
  protected readonly update: typeof torch._fusedAdam_ = torch._fusedAdam_;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    super(params, { ...defaults, ...options });
    for (const { betas, eps, weightDecay } of this.paramGroups) {
      if (!betas.every((beta) => beta >= 0 && beta < 1))
        throw new ConfigError(`betas must be at least 0 and below 1, not ${betas}.`);
      if (!(eps >= 0)) throw new ConfigError(`eps must be at least 0, not ${eps}.`);
      if (!(weightDecay >= 0)) throw new ConfigError(`weightDecay must be at least 0, not ${weightDecay}.`);
    }
  }

  step(): void {
    noGrad(() => {
      for (const [index, group] of this.paramGroups.entries()) this.stepGroup(index, group);
    });
  }

  private stepGroup(index: number, { lr, betas, eps, weightDecay, amsgrad, maximize }: AdamOptions): void {
    const names = [...averages, ...(amsgrad ? ['max_exp_avg_sq'] : [])];
    const prepare = (param: Tensor) => {
      if (this.state.has(param)) return 'ready';
      this.remember(param, 'step', torch.zeros([], { dtype: 'float32', device: param.device }));
      for (const name of names) this.remember(param, name, torch.zerosLike(param));
      return 'ready';
    };
    for (const { bucket } of this.ready(index, prepare, ['step', ...names])) {
      const gradients = TensorList.gradients(bucket.params);
      const list = (name: string) => bucket.state.get(name) ?? [];
      torch._foreachAdd_(list('step'), 1);
      this.update(bucket.params, gradients, list('exp_avg'), list('exp_avg_sq'), list('max_exp_avg_sq'), list('step'), {
        lr,
        beta1: betas[0],
        beta2: betas[1],
        weightDecay,
        eps,
        amsgrad,
        maximize,
      });
      gradients.dispose();
    }
  }
}

/** Adam with decoupled weight decay, as torch.optim.AdamW. */
export class AdamW extends Adam {
  protected override readonly update: typeof torch._fusedAdam_ = torch._fusedAdamw_;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, ...options });
  }
}
