/** One run from the first check to the saved student, in the thread that calls it. */
import { cpus } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { asTrained } from '../data/hold-out.js';
import type { Method, Objective } from '../distill/method.js';
import { CrossEntropy } from '../distill/methods/cross-entropy.js';
import { SRRL } from '../distill/methods/srrl.js';
import { type StudentCard, saveStudent } from '../distill/saved-student.js';
import { settingFor } from '../distill/setting.js';
import { isTapped, Teacher } from '../distill/teacher.js';
import { ConfigError } from '../errors.js';
import type { Accuracy, EpochRecord } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { native } from '../native.js';
import { validate } from '../options.js';
import { manualSeed, scope } from '../tensor/index.js';
import { loadCheckpoint, type Progress, saveCheckpoint } from './checkpoint.js';
import type { Control } from './control.js';
import type { StallEvent, TrainEvent } from './events.js';
import { accuracyFor } from './known-accuracy.js';
import { chosenBy, trainingLoop } from './loop.js';
import { type EffectiveTrainOptions, trainOptions } from './options.js';
import { checkClasses, examineTeacher, rehearse, teacherWarning } from './preflight.js';
import { RunFolder } from './run-folder.js';
import { type DistillSetup, resolveData, resolveMethod, resolveStudent, type StudentSetup } from './setup.js';
import type { SharedPass } from './shared-pass.js';
import { defaultViews, type EffectiveTeacherOptions, type Targets, targetsOf, teacherOptions } from './targets.js';
import { Trainer } from './trainer.js';

/** Everything that a run uses, made and checked. */
interface Parts {
  setup: StudentSetup;
  options: EffectiveTrainOptions;
  data: Dataset;
  student: Classifier;
  teacher?: Teacher;
  targets?: Targets;
  method: Method;
  objective: Objective;
  teacherAccuracy?: Accuracy;
  config: Record<string, unknown>;
}

/** What several runs have in common. */
export interface Company {
  pass: SharedPass;
  /** The step whose checkpoint each goes on from. */
  resumeAt?: number;
}

export async function* run(
  setup: StudentSetup | DistillSetup,
  control: Control,
  company?: Company,
): AsyncGenerator<TrainEvent, void> {
  const parts = yield* prepare(setup, control.signal, company);
  const { teacher, data, config } = parts;
  const began = performance.now();
  let trainer: Trainer | undefined;
  try {
    trainer = new Trainer({ ...parts, ...(company && { pass: company.pass }) });
    const resumed = resumeFrom(parts, trainer, company?.resumeAt);
    const progress = resumed?.progress ?? { epochs: [], skipped: 0 };
    const rehearsal = yield* rehearse(trainer, control.signal);
    const folder = setup.dryRun ? undefined : (resumed?.folder ?? newFolder(parts));
    folder?.checkSpace(rehearsal.estimate.diskBytes);
    const record = (event: TrainEvent): TrainEvent => {
      if (event.type === 'epoch') folder?.epoch(event);
      else if (event.type !== 'step') folder?.event(event);
      return event;
    };
    yield record({
      type: 'start',
      config,
      parameters: trainer.deployed().numParameters(),
      ...(parts.teacherAccuracy && { teacher: parts.teacherAccuracy }),
      ...rehearsal,
      environment: environment(),
      ...(resumed && { resumedAt: trainer.step }),
    });
    const warning = teacher && parts.teacherAccuracy && teacherWarning(teacher, parts.teacherAccuracy, data);
    if (warning) yield record({ type: 'notice', message: warning });
    const loop = { trainer, progress, control, ...writers(folder, trainer, progress, parts) };
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
  } finally {
    trainer?.dispose();
    discard(parts);
  }
}

/** What the loop writes, into a folder where there is one. */
function writers(folder: RunFolder | undefined, trainer: Trainer, progress: Progress, parts: Parts) {
  return {
    save: () => {
      if (!folder) return undefined;
      const file = folder.checkpointFile(trainer.step);
      saveCheckpoint(file, trainer, progress, parts.config);
      folder.prune(parts.options.keepCheckpoints);
      return file;
    },
    keep: (which: 'last' | 'best') => {
      if (folder) keepStudent(folder.studentFile(which), trainer, parts);
    },
  };
}

const environment = (): Record<string, unknown> => ({
  node: process.version,
  libtorch: native().libtorchVersion,
  threads: native().numThreads(),
  processor: cpus()[0]?.model ?? 'unknown',
  system: `${process.platform} ${process.arch}`,
});

/** Hands events on after they were recorded. Ends the inner generator when the outer one ends, which a loop over next() would not. */
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

async function* prepare(
  setup: StudentSetup | DistillSetup,
  signal?: AbortSignal,
  company?: Company,
): AsyncGenerator<StallEvent, Parts> {
  const { student: chosen, data: source, out, overwrite, resume, dryRun, signal: _signal, ...rest } = setup;
  const {
    teacher: wanted,
    tap,
    method: chosenMethod,
    teacherAccuracy: known,
    ...given
  } = rest as Partial<DistillSetup>;
  const [options, teacherRun] = effectiveOptions(given, wanted !== undefined);
  if (out !== undefined && !dryRun)
    RunFolder.refuse(out, { ...(overwrite && { overwrite }), ...(resume && { resume }) });
  const method = chosenMethod ? await resolveMethod(chosenMethod) : wanted ? new SRRL() : new CrossEntropy();
  const data = asTrained(await resolveData(source), options);

  manualSeed(options.seed);
  const { channels: inChannels, height: imageSize } = data;
  const student = await resolveStudent(chosen, { numClasses: data.classes.length, inChannels, imageSize });
  refuseBlindChoice(options, data);
  let teacher: Teacher | undefined;
  let targets: Targets | undefined;
  let objective: Objective | undefined;
  let parts: Parts | undefined;
  try {
    const text = typeof wanted === 'string';
    teacher = text ? await Teacher.load(wanted, tap === undefined ? {} : { tap }) : wanted;
    checkClasses(student, teacher, data);
    const cached = teacherRun.teacherCache !== undefined;
    objective = scope(() => method.setUp(settingFor(student, teacher, data, { pooledOnly: cached })));
    const teacherAccuracy =
      teacher && (accuracyFor(known, teacher, data) ?? (yield* examineTeacher(teacher, data, { ...options, signal })));
    const open =
      teacher && (() => targetsOf({ teacher: teacher as Teacher, data, options, teacherOptions: teacherRun }));
    targets = open && (company ? company.pass.targetsOf(open) : open());
    const config = {
      data: data.source,
      ...(teacher && { teacher: teacher.source }),
      ...(isTapped(teacher) && { tap: teacher.classifierName }),
      student: typeof chosen === 'string' ? chosen : chosen.constructor.name,
      method: method.name,
      [method.name]: method.options,
      ...options,
      ...(teacher && teacherRun),
    };
    parts = {
      setup,
      options,
      data,
      student,
      method,
      objective,
      config,
      ...(teacher && { teacher }),
      ...(targets && { targets }),
      ...(teacherAccuracy && { teacherAccuracy }),
    };
    return parts;
  } finally {
    // Also where nobody listens any more while the teacher's images do not come.
    if (!parts)
      discard({
        setup,
        student,
        ...(teacher && { teacher }),
        ...(targets && { targets }),
        ...(objective && { objective }),
      });
  }
}

/** Options of the training, and of how the teacher is run; kept features are shared by seeds, so their views are those of seed 0. */
function effectiveOptions(given: object, hasTeacher: boolean): [EffectiveTrainOptions, EffectiveTeacherOptions] {
  const known = hasTeacher ? trainOptions.extend(teacherOptions.shape) : trainOptions;
  const all = validate(known, given, 'the training options');
  const names = Object.keys(teacherOptions.shape);
  const [forTeacher, options] = [true, false].map((wanted) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name) === wanted)),
  );
  const teacherRun = { ...teacherOptions.parse({}), ...forTeacher };
  const cached = teacherRun.teacherCache === undefined ? {} : { views: defaultViews, dataSeed: 0 };
  return [{ ...cached, ...options } as EffectiveTrainOptions, teacherRun];
}

/** An epoch cannot be chosen, nor a run stopped, by images that nobody held out. */
function refuseBlindChoice({ best, earlyStop }: EffectiveTrainOptions, data: Dataset): void {
  if (data.validation || best === 'test') return;
  if (best === 'validation' || earlyStop !== undefined) {
    throw new ConfigError(
      `${earlyStop === undefined ? '--best validation' : '--early-stop'} needs images to judge by: hold some out with --validation 0.1.`,
    );
  }
}

/** Takes the newest checkpoint over, where the run is to go on and there is one. */
function resumeFrom(
  { setup, data, config }: Parts,
  trainer: Trainer,
  step?: number,
): { folder: RunFolder; progress: Progress } | undefined {
  const { out, resume = false, dryRun = false } = setup;
  if (out === undefined || !resume) return undefined;
  const folder = RunFolder.open(out, data.validation !== undefined);
  const checkpoint = folder.latestCheckpoint(step);
  if (checkpoint === undefined) return undefined;
  const progress = loadCheckpoint(checkpoint, trainer, config);
  if (!dryRun) folder.rewind(progress.epochs);
  return { folder, progress };
}

function newFolder({ setup: { out }, data, config }: Parts): RunFolder | undefined {
  return out === undefined ? undefined : RunFolder.create(out, config, data.validation !== undefined);
}

/** Writes the network that would be deployed, where it can be made again by name. */
function keepStudent(file: string, trainer: Trainer, { setup, data }: Parts): void {
  if (typeof setup.student !== 'string') return;
  const card: StudentCard = {
    model: setup.student,
    numClasses: data.classes.length,
    inChannels: data.channels,
    input: [data.channels, data.height, data.width],
    data: data.source,
  };
  saveStudent(file, trainer.deployed(), card);
}

function keptEpoch(trainer: Trainer, { epochs, best }: Progress): EpochRecord | undefined {
  return chosenBy(trainer) === 'last' ? epochs.at(-1) : epochs.find(({ epoch }) => epoch === best?.epoch);
}

/** Frees what was made here; what the caller passed stays his. */
function discard({
  setup,
  student,
  teacher,
  targets,
  objective,
}: Pick<Parts, 'setup' | 'student'> & Partial<Parts>): void {
  for (const module of Object.values(objective?.modules ?? {})) module.dispose();
  objective?.dispose?.();
  targets?.dispose();
  if (typeof setup.student === 'string') student.dispose();
  if (typeof (setup as Partial<DistillSetup>).teacher === 'string') teacher?.dispose();
}
