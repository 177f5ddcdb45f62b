import { checkCall } from '../../call.js';
import { ConfigError } from '../../errors.js';

/** What a schedule needs of an optimizer. `initialLr` is where the first schedule of a group found its rate. */
export interface Scheduled {
  paramGroups: { lr: number; initialLr?: number }[];
}

/** State of a schedule, for checkpoints; `schedules` are those that it consists of. */
export interface ScheduleState {
  lastEpoch: number;
  baseLrs: number[];
  schedules?: ScheduleState[];
}

/**
 * A learning rate as a function of the number of steps taken: the closed form, so that resuming needs only that number.
 */
export abstract class LRScheduler {
  readonly baseLrs: number[];
  lastEpoch = 0;

  constructor(readonly optimizer: Scheduled) {
    checkCall(`new optim.${new.target.name}`, ['optimizer: optimizer'], undefined, [optimizer]);
    // A schedule made after another that has already changed the rate begins where that one began.
    this.baseLrs = optimizer.paramGroups.map((group) => {
      group.initialLr ??= group.lr;
      return group.initialLr;
    });
  }

  /** The learning rate after `epoch` steps of a group that began with `baseLr`; `group` is the group's number. */
  abstract lrAt(epoch: number, baseLr: number, group: number): number;

  /** Advances by one step, usually at the end of an epoch, and sets the optimizer's learning rates. */
  step(): void {
    this.goTo(this.lastEpoch + 1);
  }

  /**
   * Sets the learning rates of step `epoch`. Groups that were added to the optimizer after this schedule was made keep
   * theirs. Throws ConfigError if `epoch` is below 0.
   */
  goTo(epoch: number): void {
    if (!(epoch >= 0)) throw new ConfigError(`A schedule cannot go to step ${epoch}.`);
    this.lastEpoch = epoch;
    for (const [i, base] of this.baseLrs.entries()) {
      const group = this.optimizer.paramGroups[i];
      if (group) group.lr = this.lrAt(epoch, base, i);
    }
  }

  /** The learning rates that the optimizer's groups have now. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** State for {@link loadStateDict}. */
  stateDict(): ScheduleState {
    return { lastEpoch: this.lastEpoch, baseLrs: [...this.baseLrs] };
  }

  /**
   * Continues where a saved schedule of the same kind was, and sets the learning rates of that step. Throws ConfigError
   * if it had another number of groups.
   */
  loadStateDict(state: ScheduleState): void {
    checkCall('loadStateDict', ['state: object'], undefined, arguments);
    const { lastEpoch, baseLrs } = state;
    if (baseLrs.length !== this.baseLrs.length)
      throw new ConfigError(`The schedule had ${baseLrs.length} groups, the optimizer has ${this.baseLrs.length}.`);
    for (const [i, lr] of baseLrs.entries()) this.baseLrs[i] = lr;
    this.goTo(lastEpoch);
  }
}
