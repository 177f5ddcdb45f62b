/** A training run ready for its steps, with the same trainer and targets as every run. */
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import type { Objective } from '../distill/method.js';
import { CrossEntropy } from '../distill/methods/cross-entropy.js';
import { SRRL } from '../distill/methods/srrl.js';
import { ModelTeacher } from '../distill/model-teacher.js';
import { settingFor } from '../distill/setting.js';
import { BenchError } from '../errors.js';
import { loadPth, savePth } from '../files/index.js';
import { type Classifier, create } from '../models/index.js';
import type { StateDict } from '../nn/index.js';
import { scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type EffectiveTrainOptions, trainOptions } from '../train/index.js';
import { type Targets, targetsOf, teacherOptions } from '../train/targets.js';
import { Trainer } from '../train/trainer.js';
import { trainingViews } from '../train/training-views.js';
import { batches, initial, noise, type Pair, settledTeacher } from './pairs.js';
import type { BenchContext } from './suite.js';

/** The folder of the files, and the device and precision of a step. */
type Place = Pick<BenchContext, 'folder' | 'device' | 'precision'>;

export const onProcessor = { device: 'cpu', precision: 'float32' } as const;

/** Plain training; SRRL with the teacher on each batch; SRRL with cached features. */
export const kinds = { ce: 'plain CE', live: 'SRRL, live teacher', cached: 'SRRL, cached targets' } as const;
export type Kind = keyof typeof kinds;

export interface Training {
  readonly trainer: Trainer;
  step(): Promise<void>;
  dispose(): void;
}

/**
 * Batches per epoch on a GPU, where starting an epoch costs more than a step. Few enough that the first measurement,
 * which is not counted, fills a cache of targets.
 */
const epochOnGpu = ({ size }: Pair): number => (size > 64 ? 8 : 16);

/** Returns what a step needs in addition to weights; made from seeds, so the same each time. */
function given(pair: Pair, kind: Kind, { folder, device, precision }: Place) {
  const { teacher, student, batchSize, lr } = pair;
  // One view, so that epochs after the first find all features in the cache.
  const options = trainOptions.parse({ batchSize, lr, schedule: 'constant', epochs: 1e6, views: 1, device, precision });
  return {
    data: noise(pair, device === 'cpu' ? batches : epochOnGpu(pair)),
    options,
    file: join(folder, `${teacher}-${student}-${kind}.pth`),
  };
}

/**
 * Writes the starting point of both sides: initial weights, and the first batches, which the peer cycles through.
 * Returns the question for the peer.
 */
export function writeStart(pair: Pair, kind: Kind, place: Place): Record<string, unknown> {
  const { data, options, file } = given(pair, kind, place);
  const { images, labels } = firstBatches(data, { ...options, device: 'cpu' });
  const model =
    kind === 'ce' ? undefined : settledTeacher(pair.teacher, pair.numClasses, images.narrow(0, 0, pair.batchSize));
  const teacher = model && ModelTeacher.of(model, pair.teacher);
  const student = initial(pair.student, pair.numClasses, 3);
  const { modules } = objectiveFor(kind, student, teacher, data);
  const networks = Object.entries({ student, ...modules, ...(model && { teacher: model }) });
  scope(() => {
    const states = Object.fromEntries(networks.map(([name, network]) => [name, network.stateDict()]));
    savePth(file, { images, labels, ...states });
  });
  for (const thing of [images, labels, student, ...Object.values(modules), teacher]) thing?.dispose();
  const { momentum, weightDecay } = options;
  const { device, precision } = place;
  return { ...pair, kind, file, momentum, weightDecay, device, precision };
}

/** Prepares a training that starts from the files that {@link writeStart} wrote into the same folder. */
export async function openTraining(pair: Pair, kind: Kind, place: Place): Promise<Training> {
  const { device } = place;
  const { data, options, file } = given(pair, kind, place);
  const { images, labels, ...states } = (await loadPth(file)) as unknown as Start;
  const teacher =
    states.teacher && ModelTeacher.of(filled(pair.teacher, pair, states.teacher).to({ device }), pair.teacher);
  const student = filled(pair.student, pair, states.student).to({ device });
  const objective = objectiveFor(kind, student, teacher, data);
  if (states.connector) objective.modules.connector?.loadStateDict(states.connector);
  for (const tensor of [images, labels, ...Object.values(states).flatMap((state) => Object.values(state))])
    tensor.dispose();
  const run = teacherOptions.parse(kind === 'cached' ? { teacherCache: join(place.folder, 'features') } : {});
  const targets: Targets | undefined = teacher && targetsOf({ teacher, data, options, teacherOptions: run });
  const trainer = new Trainer({ student, objective, data, options, ...(targets && { targets }) });
  if (device !== 'cpu') await rehearse(trainer);
  return {
    trainer,
    step: () => step(trainer),
    dispose() {
      trainer.dispose();
      targets?.dispose();
      for (const module of Object.values(trainer.modules)) module.dispose();
      teacher?.dispose();
    },
  };
}

/** The content of the file. */
interface Start {
  images: Tensor;
  labels: Tensor;
  student: StateDict;
  connector?: StateDict;
  teacher?: StateDict;
}

function filled(name: string, { numClasses }: Pair, state: StateDict): Classifier {
  const network = create(name, { numClasses });
  network.loadStateDict(state);
  return network;
}

function objectiveFor(kind: Kind, student: Classifier, teacher: ModelTeacher | undefined, data: Dataset): Objective {
  const method = teacher ? new SRRL() : new CrossEntropy();
  return scope(() => method.setUp(settingFor(student, teacher, data, { pooledOnly: kind === 'cached' })));
}

/** Returns the first batches of the trainer's loader, in order; the caller frees them. */
function firstBatches(data: Dataset, options: EffectiveTrainOptions): { images: Tensor; labels: Tensor } {
  const loader = new Loader(data, 'train', trainingViews(options));
  loader.begin(0);
  try {
    return scope(() => {
      const seen = Array.from({ length: batches }, (_, step) => loader.batch(step));
      return {
        images: torch.cat(seen.map(({ images }) => images)),
        labels: torch.cat(seen.map(({ labels }) => labels)),
      };
    });
  } finally {
    loader.dispose();
  }
}

/** Rehearses as the training loop does, which decides in which dtype the device makes images. */
async function rehearse(trainer: Trainer): Promise<void> {
  trainer.beginEpoch();
  await trainer.loader.ready(0);
  scope(() => trainer.rehearse());
}

/** Runs a step as the training loop does, without its records. */
async function step(trainer: Trainer): Promise<void> {
  const place = trainer.step % trainer.stepsPerEpoch;
  if (place === 0) trainer.beginEpoch();
  await trainer.loader.ready(place);
  const { nonFinite } = scope(() => trainer.runStep());
  const bad = nonFinite?.[0];
  if (bad) throw new BenchError(`In step ${bad.step} ${bad.what} is NaN or Inf.`);
}

/**
 * Returns the unweighted loss terms of the first steps; those of the second step show whether the first one updated the
 * weights in the same way.
 */
export async function firstTerms({ trainer, step }: Training): Promise<Record<string, number>> {
  const terms: Record<string, number> = {};
  for (let number = 1; number <= batches; number++) {
    await step();
    for (const [name, value] of Object.entries(trainer.meter.read().terms)) terms[`${name} of step ${number}`] = value;
  }
  return terms;
}
