import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/datasets/index.js';
import { Loader } from '../data/loader.js';
import type { Method } from '../distill/method.js';
import { CrossEntropy } from '../distill/methods/cross-entropy.js';
import { SRRL } from '../distill/methods/srrl.js';
import { settingFor } from '../distill/setting.js';
import { Teacher } from '../distill/teacher.js';
import { ConfigError, TeacherError } from '../errors.js';
import type { Accuracy, EpochRecord } from '../flow.js';
import { type Classifier, create } from '../models/index.js';
import { validate } from '../options.js';
import { manualSeed, scope } from '../tensor/index.js';
import { evaluate, evaluationBatchSize } from './evaluate.js';
import { type LoopEvent, trainingLoop } from './loop.js';
import { type EffectiveTrainOptions, type TrainOptions, trainOptions } from './options.js';
import { RunFolder } from './run-folder.js';

export interface StudentSetup extends TrainOptions {
  /** A model of the registry by name, or one of your own. */
  student: string | Classifier;
  /** A data set, or `kind:path`. */
  data: string | Dataset;
  /** Folder for configuration, metrics and weights; nothing is written without one. */
  out?: string;
  /** Replaces a run that is in `out`. Default false. */
  overwrite?: boolean;
  signal?: AbortSignal;
}

export interface DistillSetup extends StudentSetup {
  /** A teacher, or a TorchScript file. */
  teacher: string | Teacher;
  /** Default: SRRL with alpha = beta = 1. */
  method?: Method;
}

export type TrainEvent =
  | { type: 'start'; config: Record<string, unknown>; parameters: number; teacher?: Accuracy }
  | LoopEvent
  | { type: 'end'; test: Accuracy; seconds: number; out?: string };

/**
 * Trains a student from a teacher and yields what happens: first `start` with the teacher's own accuracy, then steps and epochs, then `end`
 * with the student's. The teacher is checked against the data before the first step.
 *
 *     for await (const event of distill({ teacher: 'teacher.pt', student: 'resnet8', data: 'shapes' }))
 *       if (event.type === 'epoch') console.log(event.epoch, event.test.top1);
 */
export async function* distill(setup: DistillSetup): AsyncGenerator<TrainEvent, void> {
  const method = setup.method ?? new SRRL();
  const own = typeof setup.teacher === 'string';
  const teacher = typeof setup.teacher === 'string' ? Teacher.load(setup.teacher) : setup.teacher;
  try {
    yield* run(setup, method, teacher);
  } finally {
    if (own) teacher.dispose();
  }
}

/** Trains a model on the labels alone. Same events. */
export async function* train(setup: StudentSetup): AsyncGenerator<TrainEvent, void> {
  yield* run(setup, new CrossEntropy());
}

async function* run(setup: StudentSetup, method: Method, teacher?: Teacher): AsyncGenerator<TrainEvent, void> {
  const { student: chosen, data: source, out, overwrite = false, signal, ...rest } = setup;
  const { teacher: _teacher, method: _method, ...given } = rest as Partial<DistillSetup>;
  const options = validate(trainOptions, given, 'the training options');
  const data = typeof source === 'string' ? await openDataset(source) : source;
  const began = performance.now();

  manualSeed(options.seed);
  const student =
    typeof chosen === 'string'
      ? create(chosen, { numClasses: data.classes.length, inChannels: data.channels })
      : chosen;
  if (student.numClasses !== data.classes.length) {
    throw new ConfigError(`The student has ${student.numClasses} classes, ${data.source} has ${data.classes.length}.`);
  }
  const teacherAccuracy = teacher && (await examine(teacher, data, signal));
  const objective = scope(() => method.setUp(settingFor(student, teacher, data)));
  try {
    const config = describe(
      typeof chosen === 'string' ? chosen : chosen.constructor.name,
      data,
      method,
      options,
      teacher,
    );
    const folder = out === undefined ? undefined : RunFolder.create(out, config, { overwrite });
    const start = {
      type: 'start' as const,
      config,
      parameters: student.numParameters(),
      ...(teacherAccuracy && { teacher: teacherAccuracy }),
    };
    folder?.event(start);
    yield start;

    let last: EpochRecord | undefined;
    const loop = trainingLoop({
      student,
      objective,
      data,
      options,
      ...(teacher && { targets: (images) => teacher.forward(images) }),
      ...(signal && { signal }),
    });
    for await (const event of loop) {
      if (event.type === 'epoch') {
        last = event;
        folder?.epoch(event);
      }
      yield event;
    }
    if (!last) throw new ConfigError('There was no epoch.');
    if (typeof chosen === 'string') {
      folder?.saveStudent(student, {
        model: chosen,
        numClasses: student.numClasses,
        inChannels: data.channels,
        data: data.source,
      });
    }
    const end = {
      type: 'end' as const,
      test: last.test,
      seconds: (performance.now() - began) / 1000,
      ...(out !== undefined && { out }),
    };
    folder?.event(end);
    yield end;
  } finally {
    for (const module of Object.values(objective.modules)) module.dispose();
    if (typeof chosen === 'string') student.dispose();
  }
}

/** Refuses a teacher that does not fit the data, and measures how good it is. */
async function examine(teacher: Teacher, data: Dataset, signal?: AbortSignal): Promise<Accuracy> {
  if (teacher.numClasses !== data.classes.length) {
    throw new TeacherError(
      `The teacher ${teacher.file} has ${teacher.numClasses} classes, ${data.source} has ${data.classes.length}.`,
    );
  }
  const loader = new Loader(data, 'test', { batchSize: evaluationBatchSize });
  try {
    return await evaluate((images) => teacher.forward(images).logits, loader, signal);
  } finally {
    loader.dispose();
  }
}

function describe(
  student: string,
  data: Dataset,
  method: Method,
  options: EffectiveTrainOptions,
  teacher?: Teacher,
): Record<string, unknown> {
  return {
    data: data.source,
    ...(teacher && { teacher: teacher.file, tap: teacher.classifier.name }),
    student,
    method: method.name,
    ...method.options,
    ...options,
  };
}
