/**
 * What a benchmark suite is: cases, each with a measurement of ours and the forms in which its peer does the same work.
 */

export type Precision = 'float32' | 'bfloat16';

export interface BenchContext {
  /** Sizes that show that a suite works, and measure nothing. */
  tiny: boolean;
  /** Threads of operators, on both sides. */
  threads: number;
  /** Where steps run, on both sides. */
  device: string;
  /** Of their forward, by autocast. */
  precision: Precision;
  /** For files that both sides read; it is deleted at the end. */
  folder: string;
  /** An image folder (`train/<class>/*.jpg`, `val/<class>/*.jpg`) instead of synthetic photos. */
  photos?: string;
}

/** A form of the peer's work: how the authors' code does it, in another layout, compiled. */
export interface PeerForm {
  name: string;
  /** Under which name the peer's script knows it. */
  variant: string;
  /** Needs a C++ compiler, and minutes. */
  compiled?: boolean;
}

/** `times`: of two ways of our own, measured one after the other. */
export type Unit = 'ns' | 'ms' | 'images/s' | 'MiB' | 'times';

export interface Case {
  name: string;
  unit: Unit;
  better: 'lower' | 'higher';
  /** Instead of the suite's, all of them counted: for processes that take long and hardly differ. */
  rounds?: number;
  /** Empty where nothing in Python does the same. */
  peers: readonly PeerForm[];
  /** Makes ready what is measured. */
  open(): OpenCase | Promise<OpenCase>;
}

export interface OpenCase {
  /** What the peer must know in addition to the variant. */
  question: Record<string, unknown>;
  /**
   * Numbers by name that the peer must give as well: nothing is timed where they differ. Called once, before all
   * measurements.
   */
  check?(): Record<string, number> | Promise<Record<string, number>>;
  /** How far those may be apart, relative; default 1e-3. */
  tolerance?: number | undefined;
  /** One measurement, in the unit of the case. */
  measure(): number | Promise<number>;
  /** Where the time of our side goes, ms by part. */
  ledger?(): Promise<Record<string, number>>;
  dispose?(): void;
}

export interface Suite {
  name: string;
  summary: string;
  /** The peer's script in bench/peers, where there is one. */
  peer?: string;
  /** Rounds where nobody chose. */
  rounds: number;
  /** Threads of operators, where the suite is about one. */
  threads?: number;
  /** Why it measures nothing on a GPU, where it does not. */
  cpuOnly?: string;
  /** Its part of a budget of time, next to the others; default 1. */
  weight?: number;
  cases(context: BenchContext): readonly Case[];
}
