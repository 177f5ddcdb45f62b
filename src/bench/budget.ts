/** A time limit for all suites: each has a share, and the suites after it use the time that it leaves. */
import type { Suite } from './suite.js';

export class Budget {
  readonly #end: number;

  /** `now` and the returned deadlines are milliseconds of one clock, by default performance.now(). */
  constructor(minutes: number, now = performance.now()) {
    this.#end = now + minutes * 60_000;
  }

  /** Returns when a suite that starts now, before `rest`, has to end. */
  deadlineOf(suite: Suite, rest: readonly Suite[], now = performance.now()): number {
    const [own, others] = [weightOf(suite), rest.reduce((sum, other) => sum + weightOf(other), 0)];
    return now + (Math.max(0, this.#end - now) * own) / (own + others);
  }
}

const weightOf = ({ weight = 1 }: Suite): number => weight;
