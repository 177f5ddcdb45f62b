/** What a run can be told. */
export type Command = 'pause' | 'resume' | 'stop' | 'abort';

/** How a run is held, let continue and ended from outside; it looks at this between steps. */
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

  /** The run is in another thread, which must be told. */
  forward(tell: (command: Command) => void): void {
    this.#tell = tell;
    if (this.stopping) tell('stop');
    else if (this.#paused) tell('pause');
  }

  /** Holds the run after the step that it is in. */
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

  /** Ends the run after the step that it is in; it saves first. */
  stop(): void {
    this.#ending.abort();
    this.#tell?.('stop');
    this.resume();
  }

  /** Whether the run is to end, by {@link stop} or by the caller's signal. */
  get stopping(): boolean {
    return this.ending.aborted;
  }

  /** Aborted when the run is to end, so that a step need not wait for images that do not come. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Waits while the run is held. Throws the signal's reason where it was aborted. */
  async pass(): Promise<void> {
    this.signal?.throwIfAborted();
    if (this.#paused) await this.#paused;
    this.signal?.throwIfAborted();
  }
}
