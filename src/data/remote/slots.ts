/** Runs a fixed number of jobs at a time, the others in their order after them. */
export class Slots {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly count: number) {}

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running >= this.count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed over, so that nobody else takes it in between.
      if (next) next();
      else this.#running--;
    }
  }
}
