/** Checks and measurements before the first step, so that a run does not fail hours later. */

import { totalmem } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import { preprocessingConfig } from '../distill/adapted-teacher.js';
import type { Teacher } from '../distill/teacher.js';
import { ConfigError, messageOf, TeacherError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { keep, noGrad, scope } from '../tensor/index.js';
import { evaluation, evaluationBatchSize } from './evaluate.js';
import type { Estimate, StallEvent } from './events.js';
import { type Patience, patiently } from './patience.js';
import { disposeState, goOnFrom, keptState } from './random.js';
import { Ranks } from './ranks.js';
import type { Trainer } from './trainer.js';

/** Throws ConfigError or TeacherError if student or teacher has another number of classes than the data. */
export function checkClasses(student: Classifier, teacher: Teacher | undefined, data: Dataset): void {
  const classes = data.classes.length;
  if (student.numClasses !== classes)
    throw new ConfigError(`The student has ${student.numClasses} classes, ${data.source} has ${classes}.`);
  if (teacher && teacher.numClasses !== classes)
    throw new TeacherError(
      `The teacher ${teacher.source} has ${teacher.numClasses} classes, ${data.source} has ${classes}.`,
    );
}

/** Returns the teacher's accuracy on the test split. Throws TeacherError if its classifier or its output is wrong. */
export async function* examineTeacher(
  teacher: Teacher,
  data: Dataset,
  patience: Patience,
): AsyncGenerator<StallEvent, Accuracy> {
  const shared = Ranks.current()?.evaluating(data.test.labels.length);
  const loader = new Loader(data, 'test', { batchSize: evaluationBatchSize, device: teacher.device, ...shared });
  try {
    loader.begin(0);
    yield* patiently(loader, 0, patience);
    patience.signal?.throwIfAborted();
    scope(() => teacher.check(loader.batch(0).images));
    const accuracy = yield* evaluation((images) => teacher.forward(images).logits, loader, patience);
    if (accuracy.nonFinite)
      throw new TeacherError(
        `The teacher ${teacher.source} returns NaN or Inf for ${accuracy.nonFinite} of ${accuracy.count} test images: a weight or a statistic in its file is likely to be NaN or Inf. Save it again from a good checkpoint.`,
      );
    return accuracy;
  } finally {
    loader.dispose();
  }
}

/** Warns of a teacher near chance: it was probably trained on images with another normalization. */
export function teacherWarning(teacher: Teacher, { top1 }: Accuracy, data: Dataset): string | undefined {
  const chance = 100 / data.classes.length;
  if (top1 > 2 * chance || data.classes.length < 3) return undefined;
  const { teacherMean: mean = data.mean, teacherStd: std = data.std } = preprocessingConfig(teacher);
  return (
    `the teacher ${teacher.source} is right in ${top1.toFixed(2)} %, chance is ${chance.toFixed(2)} %. ` +
    `Its classes must be those of ${data.source}, in the same order. It sees images normalized with mean ${mean} and ` +
    `std ${std}: if it was trained with other values, pass them as --teacher-mean and --teacher-std, ` +
    'and another image size as --teacher-size.'
  );
}

/**
 * Runs the first batch without an update. Returns its loss terms and an estimate of the run's time, memory and disk.
 * Restores weights, statistics and random generators afterwards.
 */
export async function* rehearse(
  trainer: Trainer,
  signal?: AbortSignal,
): AsyncGenerator<StallEvent, { terms: Record<string, number>; estimate: Estimate }> {
  const { options } = trainer.setup;
  trainer.beginEpoch();
  yield* patiently(trainer.loader, trainer.step % trainer.stepsPerEpoch, { ...options, signal });
  signal?.throwIfAborted();
  const state = scope(() => ({
    random: keptState(options.device),
    modules: Object.entries(trainer.modules).map(([name, module]) => {
      const copies = Object.entries(module.stateDict()).map(
        ([key, tensor]) => [key, keep(noGrad(() => tensor.clone()))] as const,
      );
      return [name, Object.fromEntries(copies)] as const;
    }),
  }));
  const began = performance.now();
  let terms: Record<string, number>;
  let secondsPerStep: number;
  try {
    terms = scope(() => trainer.rehearse());
    secondsPerStep = (performance.now() - began) / 1000;
  } catch (error) {
    if (!/more than 1 value per channel/.test(messageOf(error))) throw error;
    throw new ConfigError(
      `This network cannot be trained on one image at a time: ${messageOf(error)}. Use --batch-size and --micro-batch of 2 or more, and at least two training images.`,
      { cause: error },
    );
  } finally {
    for (const [name, copies] of state.modules) {
      trainer.modules[name]?.loadStateDict(copies);
      for (const copy of Object.values(copies)) copy.dispose();
    }
    goOnFrom(state.random);
    disposeState(state.random);
  }
  const steps = options.epochs * trainer.stepsPerEpoch - trainer.step;
  const weights = Object.values(trainer.modules).flatMap((module) => [...module.heldTensors()]);
  const bytes = weights.reduce((sum, tensor) => sum + tensor.numel() * tensor.elementSize(), 0);
  // Each checkpoint has the weights and their momentum (twice with AdamW); one more than is kept exists while it is
  // written. Two students come on top.
  const copies = (options.keepCheckpoints + 1) * (options.optimizer === 'adamw' ? 3 : 2) + 2;
  return {
    terms,
    estimate: {
      secondsPerStep,
      seconds: secondsPerStep * steps,
      bytes: process.memoryUsage.rss(),
      ...memoryLimit(),
      diskBytes: bytes * copies,
    },
  };
}

function memoryLimit(): Pick<Estimate, 'memoryLimit'> {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? { memoryLimit: limit } : {};
}
