/** Runs a fixed number of jobs concurrently and queues the others in order. */
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
      // The slot is handed over directly, so that no other job takes it in between.
      if (next) next();
      else this.#running--;
    }
  }
}
