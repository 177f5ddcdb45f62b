import { LRScheduler, type Scheduled } from './schedule.js';

/** Multiplies by `gamma` at every step, as torch.optim.lr_scheduler.ExponentialLR. */
export class ExponentialLR extends LRScheduler {
  readonly gamma: number;

  constructor(optimizer: Scheduled, { gamma }: { gamma: number }) {
    super(optimizer);
    this.gamma = gamma;
  }

  lrAt(epoch: number, baseLr: number): number {
    return baseLr * this.gamma ** epoch;
  }
}
