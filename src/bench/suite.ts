/**
 * The types of a benchmark suite: cases, each with our measurement and the forms in which its peer does the same work.
 */

export type Precision = 'float32' | 'bfloat16';

export interface BenchContext {
  /** Uses tiny sizes that only test that a suite works. */
  tiny: boolean;
  /** Threads within operators, on both sides. */
  threads: number;
  /** The device of the steps, on both sides. */
  device: string;
  /** The precision of the forward pass, by autocast. */
  precision: Precision;
  /** A folder for files that both sides read; deleted at the end. */
  folder: string;
  /** An image folder (`train/<class>/*.jpg`, `val/<class>/*.jpg`) instead of synthetic photos. */
  photos?: string;
}

/** A form of the peer's work: as in the authors' code, in another layout, or compiled. */
export interface PeerForm {
  name: string;
  /** The name of the form in the peer's script. */
  variant: string;
  /** Whether it needs a C++ compiler, and minutes. */
  compiled?: boolean;
}

/** `times` is the ratio of two of our own ways, measured one after the other. */
export type Unit = 'ns' | 'ms' | 'images/s' | 'MiB' | 'times';

export interface Case {
  name: string;
  unit: Unit;
  better: 'lower' | 'higher';
  /** Replaces the suite's rounds, and the first one counts too: for long processes that hardly vary. */
  rounds?: number;
  /** Empty if nothing in Python does the same work. */
  peers: readonly PeerForm[];
  /** Prepares the measurement. */
  open(): OpenCase | Promise<OpenCase>;
}

export interface OpenCase {
  /** What the peer needs to know in addition to the variant. */
  question: Record<string, unknown>;
  /**
   * Returns numbers by name that must agree with the peer's; a form that differs is not timed. Called once, before all
   * measurements.
   */
  check?(): Record<string, number> | Promise<Record<string, number>>;
  /** The allowed relative difference of these numbers; default 1e-3. */
  tolerance?: number | undefined;
  /** Returns one measurement, in the unit of the case. */
  measure(): number | Promise<number>;
  /** Returns the milliseconds that our side spends in each part. */
  ledger?(): Promise<Record<string, number>>;
  dispose?(): void;
}

export interface Suite {
  name: string;
  summary: string;
  /** The peer's script in bench/peers, if there is one. */
  peer?: string;
  /** The default number of rounds. */
  rounds: number;
  /** Threads within operators, if the suite requires a fixed number. */
  threads?: number;
  /** Why the suite does not run on a GPU; absent if it does. */
  cpuOnly?: string;
  /** Its share of a time budget, relative to other suites; default 1. */
  weight?: number;
  cases(context: BenchContext): readonly Case[];
}
