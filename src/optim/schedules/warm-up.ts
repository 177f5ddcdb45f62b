import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { checkCount } from '../checks.js';
import { LRScheduler, type Scheduled } from './schedule.js';

const linearKinds: Kinds<LinearOptions> = { startFactor: 'number', endFactor: 'number', totalIters: 'number' };
const constantKinds: Kinds<ConstantOptions> = { factor: 'number', totalIters: 'number' };

/** Options of {@link LinearLR}. */
export interface LinearOptions {
  /** Factor of the learning rate at the start. Default 1/3. */
  startFactor?: number;
  /** Factor of the learning rate from step `totalIters` on. Default 1. */
  endFactor?: number;
  /** Default 5. */
  totalIters?: number;
}

/**
 * A factor that goes in a straight line from `startFactor` to `endFactor`, as torch.optim.lr_scheduler.LinearLR. Throws
 * ConfigError where startFactor is not in (0, 1], endFactor not in [0, 1], or totalIters not a whole number above 0.
 */
export class LinearLR extends LRScheduler {
  readonly startFactor: number;
  readonly endFactor: number;
  readonly totalIters: number;

  constructor(optimizer: Scheduled, options: LinearOptions = {}) {
    checkCall('new optim.LinearLR', ['optimizer: optimizer'], linearKinds, arguments);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    if (!(startFactor > 0 && startFactor <= 1))
      throw new ConfigError(`startFactor must be above 0 and at most 1, not ${startFactor}.`);
    if (!(endFactor >= 0 && endFactor <= 1)) throw new ConfigError(`endFactor must be from 0 to 1, not ${endFactor}.`);
    checkCount('totalIters', totalIters);
    super(optimizer);
    this.startFactor = startFactor;
    this.endFactor = endFactor;
    this.totalIters = totalIters;
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    const part = Math.min(this.totalIters, epoch) / this.totalIters;
    return baseLr * (this.startFactor + (this.endFactor - this.startFactor) * part);
  }
}

/** Options of {@link ConstantLR}. */
export interface ConstantOptions {
  /** Factor of the learning rate until step `totalIters`. Default 1/3. */
  factor?: number;
  /** The step from which the learning rate is the initial one. Default 5. */
  totalIters?: number;
}

/**
 * A smaller learning rate until step `totalIters`, as torch.optim.lr_scheduler.ConstantLR. Throws ConfigError if factor
 * is not in [0, 1] or totalIters not a whole number above 0.
 */
export class ConstantLR extends LRScheduler {
  readonly factor: number;
  readonly totalIters: number;

  constructor(optimizer: Scheduled, options: ConstantOptions = {}) {
    checkCall('new optim.ConstantLR', ['optimizer: optimizer'], constantKinds, arguments);
    const { factor = 1 / 3, totalIters = 5 } = options;
    if (!(factor >= 0 && factor <= 1)) throw new ConfigError(`factor must be from 0 to 1, not ${factor}.`);
    checkCount('totalIters', totalIters);
    super(optimizer);
    this.factor = factor;
    this.totalIters = totalIters;
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number): number {
    return epoch < this.totalIters ? baseLr * this.factor : baseLr;
  }
}
