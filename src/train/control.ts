/** Commands that a run accepts. */
export type Command = 'pause' | 'resume' | 'stop' | 'abort';

/** Pauses, resumes and stops a run from outside; the run checks it between steps. */
export class Control {
  #resume: (() => void) | undefined;
  #paused: Promise<void> | undefined;
  readonly #ending = new AbortController();
  #tell: ((command: Command) => void) | undefined;

  constructor(readonly signal?: AbortSignal) {
    const onAbort = () => {
      this.#tell?.('abort');
      this.#ending.abort();
      this.resume();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  }

  /** Sends commands, also earlier ones, to the thread in which the run is. */
  forward(tell: (command: Command) => void): void {
    this.#tell = tell;
    if (this.stopping) tell('stop');
    else if (this.#paused) tell('pause');
  }

  /** Pauses the run after the current step. */
  pause(): void {
    this.#tell?.('pause');
    this.#paused ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#tell?.('resume');
    this.#resume?.();
    this.#paused = undefined;
  }

  /** Stops the run after the current step; it saves first. */
  stop(): void {
    this.#ending.abort();
    this.#tell?.('stop');
    this.resume();
  }

  /** Whether {@link stop} or the caller's signal has asked the run to end. */
  get stopping(): boolean {
    return this.ending.aborted;
  }

  /** Aborted when the run must end, so that a step does not wait for stalled data loading. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Waits while the run is paused. Throws the signal's reason if it was aborted. */
  async pass(): Promise<void> {
    this.signal?.throwIfAborted();
    if (this.#paused) await this.#paused;
    this.signal?.throwIfAborted();
  }
}
