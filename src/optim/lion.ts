import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { checkBetas, checkNotNegative, refuseClosure } from './checks.js';
import type { DeviceStep } from './device-step.js';
import { type Group, Optimizer, type ParameterGroup } from './optimizer.js';
import { Undo } from './undo.js';

const kinds: Kinds<LionOptions> = { lr: 'number', betas: 'any', weightDecay: 'number' };

/** Options of {@link Lion}. */
export interface LionOptions {
  /** Learning rate: the amount by which every element moves. Default 1e-4. */
  lr: number;
  /** The average's part in the step's direction, and the average's decay rate. Default [0.9, 0.99]. */
  betas: [number, number];
  /** Decoupled, as in AdamW. Default 0. */
  weightDecay: number;
}

const defaults: LionOptions = { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0 };

/**
 * Lion of Chen et al., Symbolic Discovery of Optimization Algorithms (2023), by foreach operators: a step along the
 * sign of an average of past gradients and the current one. PyTorch has no Lion; the state's name is `exp_avg`. Throws
 * ConfigError where lr or weightDecay is below 0, or one of the betas is not in [0, 1).
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<LionOptions>>, options: Partial<LionOptions> = {}) {
    checkCall(`new optim.${new.target.name}`, ['params: iterable'], kinds, arguments);
    super(params, { ...defaults, ...options }, kinds);
  }

  protected override checkGroup({ betas, weightDecay }: Group<LionOptions>): void {
    checkBetas(betas);
    checkNotNegative({ weightDecay });
  }

  step(onDevice?: DeviceStep): void {
    refuseClosure(onDevice);
    this.forEachGroup((group, index) => this.stepGroup(group, index, onDevice));
  }

  private stepGroup({ lr, betas, weightDecay }: Group<LionOptions>, index: number, onDevice?: DeviceStep): void {
    this.forEachReady(index, ['exp_avg'], ({ members, params, gradients, state }) => {
      const averages = state('exp_avg');
      const directions = torch._foreachLerp(averages, gradients, 1 - betas[0]);
      torch._foreachSign_(directions);
      if (!onDevice) {
        torch._foreachMul_(params, 1 - lr * weightDecay);
        torch._foreachAdd_(params, directions, { alpha: -lr });
        torch._foreachLerp_(averages, gradients, 1 - betas[1]);
        return;
      }
      const rate = onDevice.lr[index] as Tensor;
      const changed = members.flatMap((member) => [member, this.state.get(member)?.exp_avg as Tensor]);
      const undo = new Undo(changed);
      torch._foreachMul_(params, rate.mul(weightDecay).rsub(1));
      torch._foreachMul_(directions, rate.neg());
      torch._foreachAdd_(params, directions);
      torch._foreachLerp_(averages, gradients, 1 - betas[1]);
      undo.restoreIf(onDevice.foundInf);
      undo.dispose();
    });
  }
}
