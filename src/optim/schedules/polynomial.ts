import { checkCall, type Kinds } from '../../call.js';
import { checkCount } from '../checks.js';
import { LRScheduler, type Scheduled } from './schedule.js';

const kinds: Kinds<PolynomialOptions> = { totalIters: 'number', power: 'number' };

/** Options of {@link PolynomialLR}. */
export interface PolynomialOptions {
  /** Steps until the learning rate is 0. Default 5. */
  totalIters?: number;
  /** Default 1: a straight line. */
  power?: number;
}

/**
 * Decays the initial lr to 0 by a power of the remaining fraction, as torch.optim.lr_scheduler.PolynomialLR. Throws
 * ConfigError where totalIters is not a whole number above 0.
 */
export class PolynomialLR extends LRScheduler {
  readonly totalIters: number;
  readonly power: number;

  constructor(optimizer: Scheduled, options: PolynomialOptions = {}) {
    checkCall('new optim.PolynomialLR', ['optimizer: optimizer'], kinds, arguments);
    const { totalIters = 5, power = 1 } = options;
    checkCount('totalIters', totalIters);
    super(optimizer);
    this.totalIters = totalIters;
    this.power = power;
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * (1 - Math.min(this.totalIters, epoch) / this.totalIters) ** this.power;
  }
}
