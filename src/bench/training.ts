/** A training run that is ready for its steps, through the same trainer and targets as every run. */
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import { CrossEntropy } from '../distill/methods/cross-entropy.js';
import { SRRL } from '../distill/methods/srrl.js';
import { ModelTeacher } from '../distill/model-teacher.js';
import { settingFor } from '../distill/setting.js';
import { BenchError } from '../errors.js';
import { savePth } from '../files/index.js';
import { scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type EffectiveTrainOptions, trainOptions } from '../train/index.js';
import { type Targets, targetsOf, teacherOptions } from '../train/targets.js';
import { Trainer, trainingViews } from '../train/trainer.js';
import { batches, initial, noise, type Pair, settledTeacher } from './pairs.js';

/** Plain training; SRRL with the teacher on each batch; SRRL with features that were kept. */
export const kinds = { ce: 'plain CE', live: 'SRRL, live teacher', cached: 'SRRL, cached targets' } as const;
export type Kind = keyof typeof kinds;

export interface Training {
  readonly trainer: Trainer;
  /** What the peer needs for the same steps: initial weights, batches, hyperparameters. */
  readonly question: Record<string, unknown>;
  step(): Promise<void>;
  dispose(): void;
}

/** Makes a training ready, and writes `<folder>/<name>.pth` for the peer. */
export function openTraining(pair: Pair, kind: Kind, folder: string): Training {
  const data = noise(pair);
  const { batchSize, lr } = pair;
  // One view, so that epochs after the first find all features in the cache.
  const options = trainOptions.parse({ batchSize, lr, schedule: 'constant', epochs: 1e6, views: 1 });
  const seen = firstEpoch(data, options);
  const teacher = kind === 'ce' ? undefined : ModelTeacher.of(teacherFor(pair, seen.images), pair.teacher);
  const student = initial(pair.student, pair.numClasses, 3);
  const method = teacher ? new SRRL() : new CrossEntropy();
  const cached = kind === 'cached';
  const objective = scope(() => method.setUp(settingFor(student, teacher, data, { pooledOnly: cached })));
  const file = join(folder, `${pair.teacher}-${pair.student}-${kind}.pth`);
  const states = Object.entries({ student, ...objective.modules, ...(teacher && { teacher: teacher.model }) });
  scope(() =>
    savePth(file, { ...seen, ...Object.fromEntries(states.map(([name, module]) => [name, module.stateDict()])) }),
  );
  seen.images.dispose();
  seen.labels.dispose();
  const run = teacherOptions.parse(cached ? { teacherCache: join(folder, `features-${pair.teacher}`) } : {});
  const targets: Targets | undefined = teacher && targetsOf({ teacher, data, options, teacherOptions: run });
  const trainer = new Trainer({ student, objective, data, options, ...(targets && { targets }) });
  return {
    trainer,
    question: { ...pair, file, kind, momentum: options.momentum, weightDecay: options.weightDecay },
    step: () => step(trainer),
    dispose() {
      trainer.dispose();
      targets?.dispose();
      for (const module of Object.values(trainer.modules)) module.dispose();
      teacher?.dispose();
    },
  };
}

function teacherFor({ teacher, numClasses, batchSize }: Pair, images: Tensor) {
  return settledTeacher(teacher, numClasses, images.narrow(0, 0, batchSize));
}

/** All that the trainer's loader gives in its first epoch, in order; the caller frees it. */
function firstEpoch(data: Dataset, options: EffectiveTrainOptions): { images: Tensor; labels: Tensor } {
  const loader = new Loader(data, 'train', trainingViews(options));
  loader.begin(0);
  try {
    return scope(() => {
      const seen = Array.from({ length: loader.steps }, (_, step) => loader.batch(step));
      return {
        images: torch.cat(seen.map(({ images }) => images)),
        labels: torch.cat(seen.map(({ labels }) => labels)),
      };
    });
  } finally {
    loader.dispose();
  }
}

/** What the loop does for a step, without its records. */
async function step(trainer: Trainer): Promise<void> {
  const place = trainer.step % trainer.stepsPerEpoch;
  if (place === 0) trainer.beginEpoch();
  await trainer.loader.ready(place);
  const { nonFinite } = scope(() => trainer.runStep());
  if (nonFinite !== undefined) throw new BenchError(`In step ${trainer.step} ${nonFinite} is no number.`);
}

/** The loss terms of the first steps, unweighted; the second step's tell whether the first changed the same weights in the same way. */
export async function firstTerms({ trainer, step }: Training): Promise<Record<string, number>> {
  const terms: Record<string, number> = {};
  for (let number = 1; number <= batches; number++) {
    await step();
    const { loss: _sum, ...parts } = trainer.meter.read();
    for (const [name, value] of Object.entries(parts)) terms[`${name} of step ${number}`] = value;
  }
  return terms;
}
