import { checkCall } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { LRScheduler, type Scheduled } from './schedule.js';

const kinds = { tMax: 'number', etaMin: 'number' } as const;

/**
 * Half a cosine from the initial learning rate down to `etaMin` in `tMax` steps, as
 * torch.optim.lr_scheduler.CosineAnnealingLR.
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly tMax: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    checkCall('new optim.CosineAnnealingLR', ['optimizer: optimizer'], kinds, arguments, ['tMax']);
    const { tMax, etaMin = 0 } = options;
    super(optimizer);
    if (!(tMax > 0)) throw new ConfigError(`tMax must be above 0, not ${tMax}.`);
    this.tMax = tMax;
    this.etaMin = etaMin;
  }

  lrAt(epoch: number, baseLr: number): number {
    return this.etaMin + ((baseLr - this.etaMin) * (1 + Math.cos((Math.PI * epoch) / this.tMax))) / 2;
  }
}
