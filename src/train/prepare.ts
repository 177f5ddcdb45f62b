/** Creates and checks everything that a run uses, before its first step. */
import type { Dataset } from '../data/dataset.js';
import { asTrained } from '../data/hold-out.js';
import { preprocessingConfig, preprocessingOf, seeing } from '../distill/adapted-teacher.js';
import type { Method, Objective } from '../distill/method.js';
import { CrossEntropy } from '../distill/methods/cross-entropy.js';
import { SRRL } from '../distill/methods/srrl.js';
import { settingFor } from '../distill/setting.js';
import { isTapped, Teacher } from '../distill/teacher.js';
import { ConfigError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { validate } from '../options.js';
import { deviceNamed, manualSeed, scope } from '../tensor/index.js';
import { chooseAlgorithms } from './algorithms.js';
import type { Control } from './control.js';
import type { StallEvent } from './events.js';
import { accuracyFor } from './known-accuracy.js';
import { type Notice, opening } from './opening.js';
import { type EffectiveTrainOptions, trainOptions } from './options.js';
import { checkClasses, examineTeacher } from './preflight.js';
import { Ranks } from './ranks.js';
import { RunFolder } from './run-folder.js';
import {
  type DistillSetup,
  modulePrefix,
  normalized,
  resolveMethod,
  resolveStudent,
  type StudentSetup,
} from './setup.js';
import type { SharedPass } from './shared-pass.js';
import { checkTraceFile } from './step-profile.js';
import { defaultViews, type EffectiveTeacherOptions, type Targets, targetsOf, teacherOptions } from './targets.js';

/** Everything that a run uses, created and checked. */
export interface Parts {
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
  /** The step whose checkpoint all of them resume from. */
  resumeAt?: number;
}

export async function* prepare(
  setup: StudentSetup | DistillSetup,
  control: Control,
  company?: Company,
): AsyncGenerator<StallEvent | Notice, Parts> {
  const { signal } = control;
  const { student: chosen, data: source, out, overwrite, resume, dryRun, signal: _signal, ...rest } = setup;
  const {
    teacher: wanted,
    tap,
    method: chosenMethod,
    teacherAccuracy: known,
    ...given
  } = rest as Partial<DistillSetup>;
  const [options, teacherRun] = effectiveOptions(given, wanted !== undefined);
  const ranks = Ranks.current();
  if (ranks && company)
    throw new ConfigError(
      'Several students cannot be trained side by side by several processes: run one after the other.',
    );
  if (out !== undefined && (ranks?.isFirst ?? true))
    RunFolder.refuse(out, { ...((overwrite || dryRun) && { overwrite: true }), ...(resume && { resume }) });
  if (!dryRun) checkTraceFile(options.profile, out);
  const method = chosenMethod ? await resolveMethod(chosenMethod) : wanted ? new SRRL() : new CrossEntropy();
  const data = normalized(asTrained(yield* opening(source, options, control), options), options);

  ranks?.check(options, data);
  chooseAlgorithms(options.device, options.deterministic);
  manualSeed(options.seed);
  const { channels: inChannels, height: imageSize } = data;
  const made = await resolveStudent(chosen, { numClasses: data.classes.length, inChannels, imageSize });
  const student = made.to({ device: options.device });
  refuseBlindChoice(options, data);
  let teacher: Teacher | undefined;
  let targets: Targets | undefined;
  let objective: Objective | undefined;
  let parts: Parts | undefined;
  try {
    const { teacherMean, teacherStd, teacherSize } = teacherRun;
    const text = typeof wanted === 'string';
    const seen = preprocessingOf({ mean: teacherMean, std: teacherStd, size: teacherSize });
    if (wanted && !text && seen)
      throw new ConfigError(
        'teacherMean, teacherStd and teacherSize belong to a teacher that the run loads: pass mean, std and size to Teacher.load() instead.',
      );
    const whole = text
      ? await Teacher.load(wanted, { device: options.device, ...(tap !== undefined && { tap }), ...seen })
      : wanted;
    teacher = whole;
    teacher = whole && seeing(whole, data);
    if (teacher && teacher.device !== options.device)
      throw new ConfigError(
        `The teacher ${teacher.source} is on ${teacher.device}, the run is on ${options.device}: load it with Teacher.load(..., { device: '${options.device}' }).`,
      );
    checkClasses(student, teacher, data);
    const cached = teacherRun.teacherCache !== undefined;
    objective = scope(() => method.setUp(settingFor(student, teacher, data, { pooledOnly: cached })));
    const config = {
      data: data.source,
      ...(teacher && { teacher: teacher.source }),
      ...(isTapped(teacher) && { tap: teacher.classifierName }),
      student: typeof chosen === 'string' ? chosen : chosen.constructor.name,
      ...recordOf(method, chosenMethod),
      ...options,
      ...(teacher && { ...teacherRun, ...preprocessingConfig(teacher) }),
    };
    // All processes must agree before their first joint operation.
    ranks?.agree(config, data, teacher);
    const teacherAccuracy =
      teacher &&
      (accuracyFor(known, teacher, data, options) ?? (yield* examineTeacher(teacher, data, { ...options, signal })));
    const open =
      teacher && (() => targetsOf({ teacher: teacher as Teacher, data, options, teacherOptions: teacherRun }));
    targets = open && (company ? company.pass.targetsOf(open) : open());
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
    // Also runs if the caller stops iterating while the teacher is evaluated.
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

/** Returns the record of a method: its name, and its options under that name. */
function recordOf(method: Method, chosen: string | Method | undefined): Record<string, unknown> {
  const name = typeof chosen === 'string' && chosen.startsWith(modulePrefix) ? chosen : method.name;
  return { method: name, [name]: method.options };
}

/**
 * Returns the options of training and of the teacher. Cached features are shared by all seeds, so their views are those
 * of seed 0.
 */
function effectiveOptions(given: object, hasTeacher: boolean): [EffectiveTrainOptions, EffectiveTeacherOptions] {
  const known = hasTeacher ? trainOptions.extend(teacherOptions.shape) : trainOptions;
  const all = validate(known, given, 'the training options');
  const names = Object.keys(teacherOptions.shape);
  const [forTeacher, options] = [true, false].map((wanted) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name) === wanted)),
  );
  const teacherRun = { ...teacherOptions.parse({}), ...forTeacher };
  const cached = teacherRun.teacherCache === undefined ? {} : { views: defaultViews, dataSeed: 0 };
  const effective = { ...cached, ...options } as EffectiveTrainOptions;
  const device = Ranks.current()?.deviceFor(effective.device) ?? effective.device;
  return [{ ...effective, device: deviceNamed(device) }, teacherRun];
}

/** Throws ConfigError if choosing an epoch or stopping early needs held-out images and there are none. */
function refuseBlindChoice({ best, earlyStop }: EffectiveTrainOptions, data: Dataset): void {
  if (data.validation || best === 'test') return;
  if (best === 'validation' || earlyStop !== undefined) {
    throw new ConfigError(
      `${earlyStop === undefined ? '--best validation' : '--early-stop'} needs images to judge by: hold some out with --validation 0.1.`,
    );
  }
}

/** Frees what was created here, but not what the caller passed. */
export function discard({
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
