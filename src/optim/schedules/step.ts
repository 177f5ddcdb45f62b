import { checkCall } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { LRScheduler, type Scheduled } from './schedule.js';

const stepKinds = { stepSize: 'number', gamma: 'number' } as const;
const milestoneKinds = { milestones: 'any', gamma: 'number' } as const;

/** Multiplies the learning rate by `gamma` every `stepSize` steps, as torch.optim.lr_scheduler.StepLR. */
export class StepLR extends LRScheduler {
  readonly stepSize: number;
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number }) {
    checkCall('new optim.StepLR', ['optimizer: optimizer'], stepKinds, arguments, ['stepSize']);
    const { stepSize, gamma = 0.1 } = options;
    super(optimizer);
    if (!(Number.isInteger(stepSize) && stepSize > 0))
      throw new ConfigError(`stepSize must be a whole number above 0, not ${stepSize}.`);
    this.stepSize = stepSize;
    this.gamma = gamma;
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.gamma ** Math.floor(epoch / this.stepSize);
  }
}

/** Multiplies by `gamma` at each of the `milestones`, as torch.optim.lr_scheduler.MultiStepLR. */
export class MultiStepLR extends LRScheduler {
  readonly milestones: number[];
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { milestones: number[]; gamma?: number }) {
    checkCall('new optim.MultiStepLR', ['optimizer: optimizer'], milestoneKinds, arguments, ['milestones']);
    const { milestones, gamma = 0.1 } = options;
    super(optimizer);
    this.milestones = [...milestones];
    this.gamma = gamma;
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.gamma ** this.milestones.filter((milestone) => milestone <= epoch).length;
  }
}
