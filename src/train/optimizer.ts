/** Creates the optimizer and the learning rate schedule of the options. */
import type { Module } from '../nn/index.js';
import {
  AdamW,
  CosineAnnealingLR,
  LinearLR,
  Lion,
  LRScheduler,
  MultiStepLR,
  type Optimizer,
  type Scheduled,
  SequentialLR,
  SGD,
} from '../optim/index.js';
import type { EffectiveTrainOptions } from './options.js';

export type AnyOptimizer = Optimizer<{ lr: number }>;

export function createOptimizer(modules: readonly Module[], options: EffectiveTrainOptions): AnyOptimizer {
  const { lr, momentum, nesterov, weightDecay, decayNorms, optimizer } = options;
  const trained = modules.flatMap((module) => [...module.parameters()]).filter(({ requiresGrad }) => requiresGrad);
  // Biases and normalizations have one dimension; everything else has more.
  const groups = [
    { params: trained.filter(({ ndim }) => decayNorms || ndim > 1) },
    { params: trained.filter(({ ndim }) => !decayNorms && ndim <= 1), weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
  switch (optimizer) {
    case 'adamw':
      return new AdamW(groups, { lr, weightDecay }) as unknown as AnyOptimizer;
    case 'lion':
      return new Lion(groups, { lr, weightDecay }) as unknown as AnyOptimizer;
    default:
      return new SGD(groups, { lr, momentum, nesterov, weightDecay }) as unknown as AnyOptimizer;
  }
}

/** Creates the learning rate schedule. It makes one step per epoch. */
export function createSchedule(optimizer: Scheduled, options: EffectiveTrainOptions): LRScheduler {
  const { warmupEpochs, epochs } = options;
  if (warmupEpochs === 0) return mainSchedule(optimizer, options, epochs, 0);
  const warmup = new LinearLR(optimizer, { startFactor: 1 / (warmupEpochs + 1), totalIters: warmupEpochs });
  const rest = mainSchedule(optimizer, options, Math.max(1, epochs - warmupEpochs), warmupEpochs);
  return new SequentialLR(optimizer, { schedules: [warmup, rest], milestones: [warmupEpochs] });
}

function mainSchedule(
  optimizer: Scheduled,
  { schedule, epochs, milestones }: EffectiveTrainOptions,
  length: number,
  before: number,
): LRScheduler {
  if (schedule === 'cosine') return new CosineAnnealingLR(optimizer, { tMax: length });
  if (schedule === 'constant') return new Constant(optimizer);
  // The same shares as in the CRD benchmark: 150, 180 and 210 of its 240 epochs.
  const usual = [5 / 8, 3 / 4, 7 / 8].map((part) => Math.round(part * epochs));
  const falls = (milestones ?? usual).map((epoch) => epoch - before).filter((epoch) => epoch > 0);
  return new MultiStepLR(optimizer, { milestones: falls });
}

class Constant extends LRScheduler {
  lrAt(_epoch: number, baseLr: number): number {
    return baseLr;
  }
}
