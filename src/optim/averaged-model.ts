import { checkCall } from '../call.js';
import { type Averageable, EMA } from './ema.js';

/**
 * A copy of a module whose parameters are the equal averages of the module's at every `update()`, for stochastic weight
 * averaging; as torch.optim.swa_utils.AveragedModel. `copyTo()` puts them into a module for evaluation; the running
 * statistics of its batch normalizations are then those of `nn.utils.updateBn()`. {@link EMA} averages with a decay.
 */
export class AveragedModel extends EMA {
  constructor(source: Averageable) {
    checkCall('new optim.AveragedModel', ['source: model'], undefined, arguments);
    super(source);
  }

  protected override decayNow(): number {
    return this.updates / (this.updates + 1);
  }
}
