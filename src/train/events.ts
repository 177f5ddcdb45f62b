import type { SplitName } from '../data/dataset.js';
import type { AwaitedImage } from '../data/loader.js';
import type { Accuracy, EpochRecord } from '../flow.js';

/** What a run says while it continues, in the order in which it does. Steps and epochs count from 1. */
export type TrainEvent =
  | {
      type: 'start';
      config: Record<string, unknown>;
      parameters: number;
      /** How many classes the data has. */
      classes: number;
      /** The teacher's own accuracy on the test split. */
      teacher?: Accuracy;
      /** What the first batch's terms were, unweighted, before any step. */
      terms: Record<string, number>;
      estimate: Estimate;
      /** Versions and machine, for the record. */
      environment: Record<string, unknown>;
      provenance: Provenance;
      /** The step that a checkpoint had reached. */
      resumedAt?: number;
    }
  | StepEvent
  | { type: 'notice'; message: string }
  | {
      type: 'profile';
      /** The Chrome trace. */
      file: string;
      /** The first and the last step that were recorded. */
      from: number;
      to: number;
      /** What cost the most, as text: by operator, and by kernel where there is a GPU. */
      table: string;
    }
  | StallEvent
  | ({ type: 'epoch' } & EpochRecord)
  | { type: 'checkpoint'; step: number; file: string }
  | {
      type: 'end';
      /** Of the student that was kept; `count` is 0 where its epoch was not evaluated. */
      test: Accuracy;
      /** The epoch that it is from. */
      epoch: number;
      seconds: number;
      /** Why it ended before the last epoch. */
      stopped?: 'asked' | 'time budget' | 'early stop' | 'dry run';
      out?: string;
    };

/** A step is done; where a GPU repeats captured steps, the last of those since the event before. */
export interface StepEvent extends Partial<StepMeans> {
  type: 'step';
  step: number;
  steps: number;
  epoch: number;
  epochs: number;
}

/** Of the steps since the event before; absent where the host knows nothing yet, or all were skipped. */
export interface StepMeans {
  /** The weighted sum. */
  loss: number;
  /** Unweighted. */
  terms: Record<string, number>;
  lr: number;
  imagesPerSecond: number;
}

/** Where a result comes from. */
export interface Provenance {
  /** Of this package; the commit where it is a checkout of git. */
  version: string;
  commit?: string;
  /** The command line. */
  command: string;
  /** SHA-256 of the teacher's file, where there is one. */
  teacherSha256?: string;
  /** A hash of the training images. */
  dataSha256: string;
}

/** An event of one student of several. `ready`: it waits before its next step; nobody but runTogether() hears it. */
export type CompanyEvent = TrainEvent | { type: 'ready' };

/** The run waits for images that do not come. May come before `start`, where the teacher is measured. */
export interface StallEvent extends AwaitedImage {
  type: 'stall';
  /** The split whose batch it waits for. */
  split: SplitName;
  /** Seconds so far. */
  waited: number;
}

export interface Estimate {
  /** Of one step, measured on the first batch. */
  secondsPerStep: number;
  /** Of the whole run. */
  seconds: number;
  /** The process's memory after the first batch. */
  bytes: number;
  /** What its control group allows (a container, a batch job), where that is less than the machine has. */
  memoryLimit?: number;
  /** Of everything that will be in the run folder. */
  diskBytes: number;
}
