import type { SplitName } from '../data/dataset.js';
import type { AwaitedImage } from '../data/loader.js';
import type { Accuracy, EpochRecord } from '../flow.js';

/** The events of a run, in the order in which they happen. Steps and epochs count from 1. */
export type TrainEvent =
  | {
      type: 'start';
      config: Record<string, unknown>;
      parameters: number;
      /** The number of classes in the data. */
      classes: number;
      /** The teacher's own accuracy on the test split. */
      teacher?: Accuracy;
      /** The unweighted loss terms of the first batch, before any step. */
      terms: Record<string, number>;
      estimate: Estimate;
      /** Versions and machine, for the record. */
      environment: Record<string, unknown>;
      provenance: Provenance;
      /** The step of the checkpoint from which the run resumed. */
      resumedAt?: number;
    }
  | StepEvent
  | { type: 'notice'; message: string }
  | {
      type: 'profile';
      /** The Chrome trace. */
      file: string;
      /** The first and the last profiled step. */
      from: number;
      to: number;
      /** The most expensive operators, and on a GPU kernels, as a text table. */
      table: string;
    }
  | StallEvent
  | ({ type: 'epoch' } & EpochRecord)
  | { type: 'checkpoint'; step: number; file: string }
  | {
      type: 'end';
      /** Accuracy of the student that was kept; `count` is 0 if its epoch was not evaluated. */
      test: Accuracy;
      /** The epoch of that student. */
      epoch: number;
      seconds: number;
      /** Why the run ended before the last epoch. */
      stopped?: 'asked' | 'time budget' | 'early stop' | 'dry run';
      out?: string;
    };

/** A step is done; with captured steps on a GPU, the newest step since the previous event. */
export interface StepEvent extends Partial<StepMeans> {
  type: 'step';
  step: number;
  steps: number;
  epoch: number;
  epochs: number;
}

/** Means over the steps since the previous event; absent before the host has read them, or if all were skipped. */
export interface StepMeans {
  /** The weighted sum of the terms. */
  loss: number;
  /** Unweighted. */
  terms: Record<string, number>;
  lr: number;
  imagesPerSecond: number;
}

/** Where a result comes from. */
export interface Provenance {
  /** The version of this package, and the commit if it is a git checkout. */
  version: string;
  commit?: string;
  /** The command line. */
  command: string;
  /** SHA-256 of the teacher's file, if it has one. */
  teacherSha256?: string;
  /** A hash of the training images. */
  dataSha256: string;
}

/** An event of one student of several. `ready`: it waits before its next step; only runTogether() receives it. */
export type CompanyEvent = TrainEvent | { type: 'ready' };

/** Data loading has stalled. May come before `start`, while the teacher is evaluated. */
export interface StallEvent extends AwaitedImage {
  type: 'stall';
  /** The split that the run waits for. */
  split: SplitName;
  /** Seconds so far. */
  waited: number;
}

export interface Estimate {
  /** Seconds of one step, measured on the first batch. */
  secondsPerStep: number;
  /** Seconds of the steps that remain. */
  seconds: number;
  /** Resident memory of the process after the first batch. */
  bytes: number;
  /** Memory limit in bytes of a container or batch job (cgroup), if it is below the machine's memory. */
  memoryLimit?: number;
  /** Bytes that the run folder will need. */
  diskBytes: number;
}
