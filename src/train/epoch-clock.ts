/** Measures the seconds of an epoch, also across a stop and a resume. */
export class EpochClock {
  #began = performance.now();

  /** @param before seconds that were spent on the epoch before the run was resumed */
  constructor(private before = 0) {}

  /** Starts the clock: the epoch begins, or resumes in this process. */
  begin(): void {
    this.#began = performance.now();
  }

  seconds(): number {
    return this.before + (performance.now() - this.#began) / 1000;
  }

  /** Ends the epoch. Returns its seconds. */
  end(): number {
    const seconds = this.seconds();
    this.before = 0;
    this.begin();
    return seconds;
  }
}
