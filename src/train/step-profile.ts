/** Profiles a few steps of a run. */
import { closeSync, openSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FileError, messageOf } from '../errors.js';
import { native } from '../native.js';
import { Profiler } from '../tensor/index.js';
import type { TrainEvent } from './events.js';
import type { EffectiveTrainOptions } from './options.js';

/** The first steps choose algorithms, allocate memory and, on a device, capture the graph. */
const warmUpSteps = 5;
const shownRows = 15;

/** Throws FileError if the trace cannot be written. Skips a trace in the run's own folder, which may not exist yet. */
export function checkTraceFile(file: string | undefined, out: string | undefined): void {
  if (file === undefined || (out !== undefined && dirname(resolve(file)) === resolve(out))) return;
  const probe = `${file}.${process.pid}.tmp`;
  try {
    closeSync(openSync(probe, 'w'));
    rmSync(probe);
  } catch (error) {
    throw new FileError(
      `The trace ${file} cannot be written: ${messageOf(error)}. Choose another file for --profile.`,
      {
        cause: error,
      },
    );
  }
}

export class StepProfile {
  private profiler: Profiler | undefined;
  private readonly from: number;
  private readonly to: number;

  private constructor(
    private readonly file: string,
    steps: number,
    done: number,
    all: number,
  ) {
    // A short run has fewer warm-up steps.
    this.from = Math.min(done + warmUpSteps + 1, Math.max(done + 1, all - steps + 1));
    this.to = Math.min(this.from + steps - 1, all);
  }

  /** Returns the profile of a run that has done `done` of `all` steps; undefined without `profile`. */
  static of({ profile, profileSteps }: EffectiveTrainOptions, done: number, all: number): StepProfile | undefined {
    return profile === undefined ? undefined : new StepProfile(profile, profileSteps, done, all);
  }

  /** Called before step number `step`, counted from 1. */
  before(step: number): void {
    if (step === this.from) this.profiler = new Profiler().start();
  }

  /** Called after that step. Yields the profile after the last recorded step. */
  *after(step: number): Generator<TrainEvent> {
    if (!this.profiler) return;
    if (step < this.to) this.profiler.step();
    else yield this.finish(step);
  }

  /** Writes the profile, also if the run stops early. */
  private finish(step: number): TrainEvent {
    // Work that is queued on the device belongs to the profile.
    native().synchronize();
    const profile = (this.profiler as Profiler).stop();
    this.profiler = undefined;
    profile.exportChromeTrace(this.file);
    const byOperator = profile.table({ rowLimit: shownRows });
    const onDevice = profile.events.some(({ device }) => device !== 'cpu');
    const table = onDevice ? `${byOperator}\n${profile.table({ groupBy: 'kernel', rowLimit: shownRows })}` : byOperator;
    return { type: 'profile', file: this.file, from: this.from, to: step, table };
  }

  /** Ends the profile of a run that stops before its last recorded step. After a failed step nothing is written. */
  *end(step: number): Generator<TrainEvent> {
    if (this.profiler) yield this.finish(step);
  }

  dispose(): void {
    this.profiler?.stop();
    this.profiler = undefined;
  }
}
