/** A file of scripts/fuzz/targets/ exports one of these by default. */
export interface Target {
  /** What a case counts, for the table: `calls` or `bytes`. */
  unit: 'calls' | 'bytes';
  /** Seconds after which a case counts as a hang. Default 20. */
  seconds?: number;
  /** MiB of resident memory that the process may grow to. Default 3000. */
  memory?: number;
  /**
   * Prepares what all cases share and returns the function that runs one. A target that writes files writes them to
   * folders below `folder`: the last one is kept where a case fails.
   */
  setup(place: { folder: string }): Promise<Run> | Run;
}

/**
 * Runs one case. What it does must follow from `random` alone. An SrrlError is what a wrong input deserves, and ends
 * the case; any other error is a finding.
 */
export type Run = (random: FuzzRandom, trial: Trial) => void | Promise<void>;

export interface Trial {
  /** Tells what is about to happen, as in `torch.add(1)`; the text is made only where one case is repeated. */
  note(text: () => string): void;
  /** Adds to what the table counts. */
  count(number: number): void;
}

/** Random numbers that belong to one case. */
export interface FuzzRandom {
  below(bound: number): number;
  uniform(low?: number, high?: number): number;
  bits(): number;
  pick<T>(choices: readonly T[]): T;
  /** True once in `many`. */
  once(many: number): boolean;
}
