/** The seconds that an epoch takes, in all processes that work on it. */
export class EpochClock {
  #began = performance.now();

  /** @param before seconds that were spent on the epoch before the run was resumed */
  constructor(private before = 0) {}

  /** The work on the epoch begins, or continues in this process. */
  begin(): void {
    this.#began = performance.now();
  }

  seconds(): number {
    return this.before + (performance.now() - this.#began) / 1000;
  }

  /** The epoch is complete. Returns its seconds. */
  end(): number {
    const seconds = this.seconds();
    this.before = 0;
    this.begin();
    return seconds;
  }
}
