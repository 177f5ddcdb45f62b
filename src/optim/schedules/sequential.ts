import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { CompositeLR } from './composite.js';
import type { LRScheduler, Scheduled } from './schedule.js';

const kinds: Kinds<SequentialOptions> = { schedules: 'any', milestones: 'any' };

/** Options of {@link SequentialLR}. */
export interface SequentialOptions {
  schedules: LRScheduler[];
  /** The step at which each schedule but the first begins, counting its own steps from 0. */
  milestones: number[];
}

/**
 * One schedule after another, as torch.optim.lr_scheduler.SequentialLR. Throws ConfigError if there is no schedule,
 * there is not one milestone fewer than schedules, milestones do not grow, or a schedule is another optimizer's.
 */
export class SequentialLR extends CompositeLR {
  readonly milestones: number[];

  constructor(optimizer: Scheduled, options: SequentialOptions) {
    checkCall('new optim.SequentialLR', ['optimizer: optimizer'], kinds, arguments, ['schedules', 'milestones']);
    const { schedules, milestones } = options;
    if (schedules.length === 0 || milestones.length !== schedules.length - 1) {
      throw new ConfigError(
        `SequentialLR needs schedules and one milestone fewer, not ${schedules.length} and ${milestones.length}.`,
      );
    }
    if (!milestones.every((milestone, i) => milestone > (milestones[i - 1] ?? 0)))
      throw new ConfigError(`milestones must grow from above 0, not be [${milestones.join(', ')}].`);
    if (schedules.some((schedule) => schedule.optimizer !== optimizer))
      throw new ConfigError('The schedules of a SequentialLR must belong to its optimizer.');
    super(optimizer, schedules);
    this.milestones = [...milestones];
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const { schedule, since } = this.at(epoch);
    const base = schedule.baseLrs[group];
    return base === undefined ? baseLr : schedule.lrAt(epoch - since, base, group);
  }

  override goTo(epoch: number): void {
    super.goTo(epoch);
    // The schedule itself advances too: it may set more than the learning rate.
    const { schedule, since } = this.at(epoch);
    schedule.goTo(epoch - since);
  }

  private at(epoch: number): { schedule: LRScheduler; since: number } {
    const begun = this.milestones.filter((milestone) => milestone <= epoch).length;
    return { schedule: this.schedules[begun] as LRScheduler, since: this.milestones[begun - 1] ?? 0 };
  }
}
