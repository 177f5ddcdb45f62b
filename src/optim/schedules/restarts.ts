import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { checkCount } from '../checks.js';
import { LRScheduler, type Scheduled } from './schedule.js';

/** Options of {@link CosineAnnealingWarmRestarts}. */
export interface RestartOptions {
  /** Steps of the first cosine. */
  t0: number;
  /** How many times longer each next one is. Default 1. */
  tMult?: number;
  /** Minimum learning rate. Default 0. */
  etaMin?: number;
}

const kinds: Kinds<RestartOptions> = { t0: 'number', tMult: 'number', etaMin: 'number' };

/**
 * Half cosines from the initial learning rate down to `etaMin`, one after the other, as
 * torch.optim.lr_scheduler.CosineAnnealingWarmRestarts. `goTo()` accepts fractions of an epoch. Throws ConfigError if
 * t0 or tMult is not a whole number above 0.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly t0: number;
  readonly tMult: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: RestartOptions) {
    checkCall('new optim.CosineAnnealingWarmRestarts', ['optimizer: optimizer'], kinds, arguments, ['t0']);
    const { t0, tMult = 1, etaMin = 0 } = options;
    checkCount('t0', t0);
    checkCount('tMult', tMult);
    if (Number.isNaN(etaMin)) throw new ConfigError('etaMin must be a number, not NaN.');
    super(optimizer);
    this.t0 = t0;
    this.tMult = tMult;
    this.etaMin = etaMin;
  }

  lrAt(epoch: number, baseLr: number): number {
    let [since, length] = [epoch, this.t0];
    if (this.tMult === 1) since = epoch % length;
    else {
      for (; since >= length; length *= this.tMult) since -= length;
    }
    return this.etaMin + ((baseLr - this.etaMin) * (1 + Math.cos((Math.PI * since) / length))) / 2;
  }
}
