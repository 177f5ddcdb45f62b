import { ConfigError } from '../../errors.js';
import { LRScheduler, type Scheduled, type ScheduleState } from './schedule.js';

/** A schedule that consists of others, whose states are saved with its own. */
export abstract class CompositeLR extends LRScheduler {
  readonly schedules: LRScheduler[];

  constructor(optimizer: Scheduled, schedules: readonly LRScheduler[]) {
    super(optimizer);
    this.schedules = [...schedules];
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), schedules: this.schedules.map((schedule) => schedule.stateDict()) };
  }

  /** Also throws ConfigError if the saved schedule consisted of another number of schedules. */
  override loadStateDict(state: ScheduleState): void {
    const { schedules = [] } = state;
    if (schedules.length !== this.schedules.length)
      throw new ConfigError(
        `The saved schedule consists of ${schedules.length} schedules, this one of ${this.schedules.length}.`,
      );
    for (const [i, schedule] of this.schedules.entries()) schedule.loadStateDict(schedules[i] as ScheduleState);
    super.loadStateDict(state);
  }
}
