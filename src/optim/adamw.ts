import { checkCall } from '../call.js';
import type { Tensor } from '../tensor/index.js';
import { Adam, type AdamOptions, kinds as adamKinds } from './adam.js';
import type { ParameterGroup } from './optimizer.js';

/**
 * Adam with decoupled weight decay, as torch.optim.AdamW, by the fused operator. Options, defaults and errors are those
 * of {@link Adam}, but `weightDecay` is 1e-2 by default.
 */
export class AdamW extends Adam {
  protected override readonly decoupled = true;

  constructor(params: Iterable<Tensor> | Iterable<ParameterGroup<AdamOptions>>, options: Partial<AdamOptions> = {}) {
    checkCall('new optim.AdamW', ['params: iterable'], adamKinds, arguments);
    super(params, { weightDecay: 1e-2, ...options });
  }
}
