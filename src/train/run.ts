/** One run from the first check to the saved student, in the thread that calls it. */
import { cpus } from 'node:os';
import { saveStudent } from '../distill/saved-student.js';
import { ConfigError, DeviceLostError, DistributedError, messageOf } from '../errors.js';
import type { EpochRecord } from '../flow.js';
import { native } from '../native.js';
import { badState, saveCheckpoint } from './checkpoint.js';
import { newProgress, type Progress } from './checkpoint-file.js';
import type { Control } from './control.js';
import { EpochClock } from './epoch-clock.js';
import type { CompanyEvent, TrainEvent } from './events.js';
import { deviceLost } from './guards.js';
import { chosenBy, trainingLoop } from './loop.js';
import { mergedNotice } from './part.js';
import { rehearse, teacherWarning } from './preflight.js';
import { type Company, discard, type Parts, prepare } from './prepare.js';
import { resumeFrom } from './resume.js';
import { RunFolder } from './run-folder.js';
import type { DistillSetup, StudentSetup } from './setup.js';
import { StepProfile } from './step-profile.js';
import { StudentRecord } from './student-record.js';
import { Trainer } from './trainer.js';

export function run(setup: StudentSetup | DistillSetup, control: Control): AsyncGenerator<TrainEvent, void>;
export function run(setup: DistillSetup, control: Control, company: Company): AsyncGenerator<CompanyEvent, void>;
export async function* run(
  setup: StudentSetup | DistillSetup,
  control: Control,
  company?: Company,
): AsyncGenerator<CompanyEvent, void> {
  const parts = yield* prepare(setup, control, company);
  const { teacher, data, config } = parts;
  const began = performance.now();
  let trainer: Trainer | undefined;
  let profile: StepProfile | undefined;
  let folder: RunFolder | undefined;
  try {
    trainer = new Trainer({ ...parts, ...(company && { pass: company.pass }) });
    const resumed = resumeFrom(parts, trainer, company?.resumeAt);
    const progress = resumed?.progress ?? newProgress();
    refuseBadWeights(trainer);
    const rehearsal = yield* rehearse(trainer, control.signal);
    folder = setup.dryRun || trainer.ranks?.isFirst === false ? undefined : (resumed?.folder ?? newFolder(parts));
    folder?.checkSpace(rehearsal.estimate.diskBytes);
    const record = (event: CompanyEvent): CompanyEvent => {
      if (event.type === 'epoch') folder?.epoch(event);
      else if (event.type === 'step') folder?.step(event, parts.options.stepMetrics);
      else if (event.type !== 'ready') folder?.event(event);
      return event;
    };
    const student = new StudentRecord(parts);
    yield record({
      type: 'start',
      config,
      parameters: trainer.deployed().numParameters(),
      classes: data.classes.length,
      ...(parts.teacherAccuracy && { teacher: parts.teacherAccuracy }),
      ...rehearsal,
      environment: environment(),
      provenance: student.provenance,
      ...(resumed && { resumedAt: trainer.step }),
    });
    for (const message of resumed?.notices ?? []) yield record({ type: 'notice', message });
    const warning = teacher && parts.teacherAccuracy && teacherWarning(teacher, parts.teacherAccuracy, data);
    if (warning) yield record({ type: 'notice', message: warning });
    if (data.skipped) yield record({ type: 'notice', message: `${data.source}: skipped files: ${data.skipped}` });
    for (const message of data.notices ?? []) yield record({ type: 'notice', message });
    for (const message of mergedNotice(data.train.labels.length, parts.options.batchSize, trainer.microBatch))
      yield record({ type: 'notice', message });
    profile = StepProfile.of(parts.options, trainer.step, parts.options.epochs * trainer.stepsPerEpoch);
    const clock = new EpochClock(progress.epochSeconds);
    const loop = { trainer, progress, clock, control, profile, ...writers(folder, trainer, progress, clock, student) };
    const stopped = setup.dryRun ? 'dry run' : yield* recorded(trainingLoop(loop), record);
    const kept = keptEpoch(trainer, progress);
    yield record({
      type: 'end',
      test: kept?.test ?? { top1: Number.NaN, top5: Number.NaN, loss: Number.NaN, count: 0 },
      epoch: kept?.epoch ?? 0,
      seconds: (performance.now() - began) / 1000,
      ...(stopped && { stopped }),
      ...(folder && { out: folder.path }),
    });
  } catch (error) {
    // The other processes wait for this one, and must learn why it ended.
    if (trainer?.ranks && !(error instanceof DistributedError)) await native().distributedFail(messageOf(error));
    if (!deviceLost(error)) throw error;
    const { device } = parts.options;
    throw new DeviceLostError(device, messageOf(error), folder?.latestCheckpoint(), { cause: error });
  } finally {
    profile?.dispose();
    trainer?.dispose();
    discard(parts);
  }
}

/** Returns the functions with which the loop writes to the run folder, if there is one. */
function writers(
  folder: RunFolder | undefined,
  trainer: Trainer,
  progress: Progress,
  clock: EpochClock,
  record: StudentRecord,
) {
  const { parts } = record;
  return {
    save: () => {
      const meter = trainer.settled();
      if (!folder) return undefined;
      const file = folder.checkpointFile(trainer.step);
      saveCheckpoint(file, trainer, { ...progress, epochSeconds: clock.seconds() }, parts.config, meter);
      folder.prune(parts.options.keepCheckpoints);
      return file;
    },
    /** Writes the network that would be deployed. */
    keep: (which: 'last' | 'best', epoch: EpochRecord) => {
      const file = folder?.studentFile(which);
      if (file !== undefined) saveStudent(file, trainer.deployed(), record.card(file, epoch));
    },
  };
}

/** Throws ConfigError if student or connector hold NaN or Inf before the first step. */
function refuseBadWeights(trainer: Trainer): void {
  const bad = badState(trainer);
  if (bad !== undefined)
    throw new ConfigError(
      `Before the first step, ${bad} holds NaN or Inf. Give the student other initial weights, or resume from another checkpoint.`,
    );
}

const environment = (): Record<string, unknown> => ({
  node: process.version,
  libtorch: native().libtorchVersion,
  threads: native().numThreads(),
  processor: cpus()[0]?.model ?? 'unknown',
  system: `${process.platform} ${process.arch}`,
});

/**
 * Yields events after recording them. Ends the inner generator when the outer one ends, which a plain loop over next()
 * would not do.
 */
async function* recorded<T, R>(events: AsyncGenerator<T, R>, record: (event: T) => T): AsyncGenerator<T, R> {
  try {
    for (;;) {
      const { value, done } = await events.next();
      if (done) return value;
      yield record(value);
    }
  } finally {
    await events.return(undefined as R);
  }
}

function newFolder({ setup: { out }, data, config }: Parts): RunFolder | undefined {
  return out === undefined ? undefined : RunFolder.create(out, config, data.validation !== undefined);
}

function keptEpoch(trainer: Trainer, { epochs, best }: Progress): EpochRecord | undefined {
  return chosenBy(trainer) === 'last' ? epochs.at(-1) : epochs.find(({ epoch }) => epoch === best?.epoch);
}
