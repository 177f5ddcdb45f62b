/** Milliseconds of device work between two looks for NaN and Inf. */
const lookEvery = 50;

/**
 * If steps take at most this many milliseconds, a look reads the answer to the previous look, so that the device always
 * has work. With longer steps, a stopped run would wait too long for the steps already queued.
 */
const quickStep = 100;

/** The most steps between two looks; the log must have room for twice as many. */
const mostSteps = 200;

/** Decides when a look is due. It measures how long steps take: from a millisecond to many seconds. */
export class LookPace {
  /** Milliseconds per step. */
  #step = Number.POSITIVE_INFINITY;
  /** Steps between two looks. */
  #patience = 1;
  /** Steps since the last look. */
  #waiting = 0;
  #since = performance.now();

  /** Whether a look may skip the newest steps. */
  get mayLag(): boolean {
    return this.#step <= quickStep;
  }

  get isDue(): boolean {
    return this.#waiting >= this.#patience;
  }

  /** Counts a step. `first`: the device had no work before it. */
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
