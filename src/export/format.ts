/** The interface of a format; each format is one file in formats/. */
import type { StudentCard } from '../distill/saved-student.js';
import type { Module, StateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import type { ExportCard, Verification } from './card.js';
import type { Graph } from './graph.js';
import type { FileOption, FileOptions } from './options.js';
import type { SeedsRecord } from './seeds.js';

/** The network to write. */
export interface Network {
  /** The student itself, in evaluation mode. */
  readonly model: Module;
  readonly options: FileOptions;
  readonly card: ExportCard;
  /** The card in the student's own file: preprocessing, training and accuracy. */
  readonly student: StudentCard;
  readonly seeds?: SeedsRecord | undefined;
  /** The verification of the written file; undefined when it is written for the first time. */
  readonly verification?: Verification | undefined;
  /** The graph as the options require: folded, in half precision, with preprocessing. Made at the first use. */
  readonly graph: Graph;
  /** For int8, the smallest and largest number of each quantized value. */
  readonly quantization: ReadonlyMap<string, readonly [number, number]> | undefined;
}

/** An exported file that is ready to run. */
export interface Runtime {
  /** Name and version. */
  readonly name: string;
  /** Why this is not the format's own runtime; absent if it is. */
  readonly missing?: string;
  /** Runs the file on its input; returns its output as float32. */
  run(images: Tensor): Tensor | Promise<Tensor>;
  dispose(): void | Promise<void>;
}

/** An export format. */
export interface Format {
  readonly name: string;
  readonly summary: string;
  /** File name endings with the dot; the longest match decides. Empty for a folder. */
  readonly endings: readonly string[];
  /** Supported options; others are refused. */
  readonly takes: readonly FileOption[];
  /** Writes to a path that does not exist. Throws on failure; the caller then removes the path. */
  write(network: Network, path: string): void | Promise<void>;
  /** Opens the written file, in the format's own runtime if it is available. */
  open?(path: string, network: Network): Promise<Runtime>;
  /** Reads the written weights, for formats that hold weights but no operators. */
  readBack?(path: string): StateDict | Promise<StateDict>;
}
