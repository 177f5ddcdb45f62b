/** The training loop. It knows no method: an objective gives named terms, and their weighted sum is descended. */
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import type { Objective } from '../distill/method.js';
import { SrrlError } from '../errors.js';
import type { EpochRecord, Features, Terms } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { CosineAnnealingLR, type LRScheduler, MultiStepLR, SGD } from '../optim/index.js';
import { noGrad, scope, type Tensor } from '../tensor/index.js';
import { breathe, evaluate, evaluationBatchSize } from './evaluate.js';
import { TermMeter } from './meter.js';
import type { EffectiveTrainOptions } from './options.js';

export interface LoopSetup {
  student: Classifier;
  objective: Objective;
  /** h_T and z_T of a batch; absent for methods without a teacher. */
  targets?: (images: Tensor) => Features;
  data: Dataset;
  options: EffectiveTrainOptions;
  signal?: AbortSignal;
}

/** What the loop says while it runs. `step` counts from 1 over all epochs. */
export type LoopEvent =
  | { type: 'step'; step: number; steps: number; epoch: number; epochs: number }
  | ({ type: 'epoch' } & EpochRecord);

export async function* trainingLoop(setup: LoopSetup): AsyncGenerator<LoopEvent, void> {
  const { student, objective, data, options, signal } = setup;
  const { batchSize, seed, augment, epochs, lr, momentum, nesterov, weightDecay } = options;
  const trained = [student, ...Object.values(objective.modules)];
  for (const module of trained) module.to({ memoryFormat: 'channelsLast' });
  const train = new Loader(data, 'train', { batchSize, seed, shuffle: true, augment });
  const test = new Loader(data, 'test', { batchSize: evaluationBatchSize });
  const optimizer = new SGD(
    trained.flatMap((module) => [...module.parameters()]),
    { lr, momentum, nesterov, weightDecay },
  );
  const schedule = scheduleFor(optimizer, options);
  const meter = new TermMeter();
  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      const began = performance.now();
      const rate = optimizer.paramGroups[0]?.lr ?? lr;
      for (const module of trained) module.train();
      train.begin(epoch);
      for (let step = 0; step < train.steps; step++) {
        signal?.throwIfAborted();
        scope(() => trainStep(setup, train, { epoch: epoch + 1, step }, optimizer, meter));
        yield {
          type: 'step',
          step: epoch * train.steps + step + 1,
          steps: epochs * train.steps,
          epoch: epoch + 1,
          epochs,
        };
        await breathe();
      }
      schedule?.step();
      const seconds = (performance.now() - began) / 1000;
      const { loss = Number.NaN, ...terms } = meter.read();
      if (!Number.isFinite(loss)) throw divergence(epoch + 1, terms);
      student.eval();
      const accuracy = await evaluate((images) => student.forward(images), test, signal);
      const imagesPerSecond = train.count / seconds;
      yield {
        type: 'epoch',
        epoch: epoch + 1,
        epochs,
        lr: rate,
        loss,
        terms,
        test: accuracy,
        imagesPerSecond,
        seconds,
      };
    }
  } finally {
    for (const holder of [train, test, optimizer, meter]) holder.dispose();
  }
}

/** Forward, loss, backward, update. */
function trainStep(
  { student, objective, targets }: LoopSetup,
  loader: Loader,
  { epoch, step }: { epoch: number; step: number },
  optimizer: SGD,
  meter: TermMeter,
): void {
  const { images, labels, indices } = loader.batch(step);
  const teacher = targets && noGrad(() => targets(images));
  const features = student.forwardFeatures(images);
  const terms = objective.terms({ student: features, labels, indices, epoch, ...(teacher && { teacher }) });
  const loss = weightedSum(terms);
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
  meter.add(terms, loss, labels.shape[0] ?? 0);
}

/** A term of weight 0 is recorded, but takes no part in the graph. */
function weightedSum(terms: Terms): Tensor {
  const parts = Object.values(terms)
    .filter(({ weight }) => weight !== 0)
    .map(({ weight, value }) => (weight === 1 ? value : value.mul(weight)));
  return parts.reduce((sum, part) => sum.add(part));
}

function scheduleFor(optimizer: SGD, { schedule, epochs, milestones }: EffectiveTrainOptions): LRScheduler | undefined {
  if (schedule === 'cosine') return new CosineAnnealingLR(optimizer, { tMax: epochs });
  if (schedule === 'constant') return undefined;
  // Where the CRD benchmark has them in its 240 epochs: 150, 180, 210.
  const usual = [5 / 8, 3 / 4, 7 / 8].map((part) => Math.round(part * epochs));
  return new MultiStepLR(optimizer, { milestones: milestones ?? usual });
}

function divergence(epoch: number, terms: Record<string, number>): SrrlError {
  const values = Object.entries(terms).map(([name, value]) => `${name} ${value}`);
  return new SrrlError(
    'ERR_DIVERGED',
    `The loss is no longer a number in epoch ${epoch} (${values.join(', ')}).\nLower --lr, or the weights of the terms.`,
  );
}
