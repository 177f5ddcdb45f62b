/** Milliseconds of the device's work after which NaN and Inf are looked for. */
const lookEvery = 50;

/**
 * Milliseconds of a step up to which the host reads at a look what it asked for at the one before, so that the device
 * always has work. With longer steps, a run that is stopped would have to wait too long for those that were asked for.
 */
const quickStep = 100;

/** The most steps between two looks; the log must have room for twice as many. */
const mostSteps = 200;

/** When a look is due, by how long steps take: found out, as that is from a millisecond to many seconds. */
export class LookPace {
  /** Milliseconds of a step. */
  #step = Number.POSITIVE_INFINITY;
  /** Steps between two looks. */
  #patience = 1;
  /** Steps since the last look. */
  #waiting = 0;
  #since = performance.now();

  /** Whether a look may leave out the newest steps. */
  get mayLag(): boolean {
    return this.#step <= quickStep;
  }

  get isDue(): boolean {
    return this.#waiting >= this.#patience;
  }

  /** Counts a step. `first`: nothing was asked of the device before. */
  count(first: boolean): void {
    if (first) this.#since = performance.now();
    this.#waiting++;
  }

  looks(): void {
    this.#waiting = 0;
  }

  /** Called with the number of steps that the device has done since the last call. */
  done(steps: number): void {
    if (steps === 0) return;
    const now = performance.now();
    this.#step = (now - this.#since) / steps;
    this.#patience = Math.max(1, Math.min(2 * this.#patience, Math.floor(lookEvery / this.#step), mostSteps));
    this.#since = now;
  }
}
