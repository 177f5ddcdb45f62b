import { checkCall } from '../../call.js';
import { LRScheduler, type Scheduled } from './schedule.js';

const kinds = { gamma: 'number' } as const;

/** Multiplies the learning rate by `gamma` at every step, as torch.optim.lr_scheduler.ExponentialLR. */
export class ExponentialLR extends LRScheduler {
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { gamma: number }) {
    checkCall('new optim.ExponentialLR', ['optimizer: optimizer'], kinds, arguments, ['gamma']);
    const { gamma } = options;
    super(optimizer);
    this.gamma = gamma;
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.gamma ** epoch;
  }
}
