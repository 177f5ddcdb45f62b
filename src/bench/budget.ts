/** A bound on the time of all suites: each has its part of it, and what one leaves over is for those behind it. */
import type { Suite } from './suite.js';

export class Budget {
  readonly #end: number;

  /** `now` and what is returned are milliseconds of one clock. */
  constructor(minutes: number, now = performance.now()) {
    this.#end = now + minutes * 60_000;
  }

  /** When a suite has to end that is run now, before `rest`. */
  deadlineOf(suite: Suite, rest: readonly Suite[], now = performance.now()): number {
    const [own, others] = [weightOf(suite), rest.reduce((sum, other) => sum + weightOf(other), 0)];
    return now + (Math.max(0, this.#end - now) * own) / (own + others);
  }
}

const weightOf = ({ weight = 1 }: Suite): number => weight;
