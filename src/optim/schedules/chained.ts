import { checkCall } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { CompositeLR } from './composite.js';
import type { LRScheduler, Scheduled } from './schedule.js';

/**
 * Several schedules at once, whose factors of the initial learning rate are multiplied, as
 * torch.optim.lr_scheduler.ChainedScheduler. Throws ConfigError if there is none, or they belong to several optimizers.
 */
export class ChainedScheduler extends CompositeLR {
  constructor(schedules: LRScheduler[]) {
    checkCall('new optim.ChainedScheduler', ['schedules: list'], undefined, arguments);
    const [first] = schedules;
    if (!first || schedules.some((schedule) => schedule.optimizer !== first.optimizer))
      throw new ConfigError('ChainedScheduler needs schedules of one optimizer.');
    super(first.optimizer as Scheduled, schedules);
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const factors = this.schedules.map((schedule) => {
      // A schedule that was made before the group was added leaves it as it is.
      const base = schedule.baseLrs[group];
      if (base === undefined) return 1;
      return base === 0 ? 0 : schedule.lrAt(epoch, base, group) / base;
    });
    return factors.reduce((lr, factor) => lr * factor, baseLr);
  }

  override goTo(epoch: number): void {
    // The schedules themselves advance too: they may set more than the learning rate.
    for (const schedule of this.schedules) schedule.goTo(epoch);
    super.goTo(epoch);
  }
}
