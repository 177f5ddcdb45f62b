/** What a format is: one file in formats/. */
import type { StudentCard } from '../distill/saved-student.js';
import type { Module, StateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import type { ExportCard, Verification } from './card.js';
import type { Graph } from './graph.js';
import type { FileOption, FileOptions } from './options.js';
import type { SeedsRecord } from './seeds.js';

/** What is written. */
export interface Network {
  /** The student itself, in evaluation mode. */
  readonly model: Module;
  readonly options: FileOptions;
  readonly card: ExportCard;
  /** What the file of the student says of it: its preprocessing, how it was trained, how good it is. */
  readonly student: StudentCard;
  readonly seeds?: SeedsRecord | undefined;
  /** How what was written computes; unknown while it is written for the first time. */
  readonly verification?: Verification | undefined;
  /** As the options ask for it: folded, in half precision, with preprocessing. Made at the first use. */
  readonly graph: Graph;
  /** Of int8: the smallest and largest number of each value that is quantized. */
  readonly quantization: ReadonlyMap<string, readonly [number, number]> | undefined;
}

/** A file that runs. */
export interface Runtime {
  /** With its version. */
  readonly name: string;
  /** Why this is not the runtime of the format; absent where it is. */
  readonly missing?: string;
  /** Takes what the file takes, returns what it returns, as float32. */
  run(images: Tensor): Tensor | Promise<Tensor>;
  dispose(): void | Promise<void>;
}

/** A format that a student is exported in. */
export interface Format {
  readonly name: string;
  readonly summary: string;
  /** With the dot; the longest one that fits decides. Empty for a folder. */
  readonly endings: readonly string[];
  /** Options that it takes; others are refused. */
  readonly takes: readonly FileOption[];
  /** Writes to a path where nothing is; what goes wrong is thrown, and the path removed by the caller. */
  write(network: Network, path: string): void | Promise<void>;
  /** Runs what was written, by a runtime of its own where there is one. */
  open?(path: string, network: Network): Promise<Runtime>;
  /** Reads back what was written, in formats that hold weights and no operators. */
  readBack?(path: string): StateDict | Promise<StateDict>;
}
