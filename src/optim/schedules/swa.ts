import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { LRScheduler, type Scheduled } from './schedule.js';

/** Options of {@link SWALR}. */
export interface SWAOptions {
  /** The final learning rate, one for all groups or one per group. */
  swaLr: number | number[];
  /** Steps until it is reached; 0: at once. Default 10. */
  annealEpochs?: number;
  /** Default `cos`. */
  annealStrategy?: 'cos' | 'linear';
}

const kinds: Kinds<SWAOptions> = { swaLr: 'any', annealEpochs: 'number', annealStrategy: ['cos', 'linear'] };

/**
 * From the learning rate that the optimizer has at the first step to a constant one, for stochastic weight averaging,
 * as torch.optim.swa_utils.SWALR. Throws ConfigError if swaLr has not one value for each group, or annealEpochs is not a
 * whole number of at least 0.
 */
export class SWALR extends LRScheduler {
  readonly #swaLrs: number[];
  readonly #annealEpochs: number;
  readonly #linear: boolean;

  constructor(optimizer: Scheduled, options: SWAOptions) {
    checkCall('new optim.SWALR', ['optimizer: optimizer'], kinds, arguments, ['swaLr']);
    const { swaLr, annealEpochs = 10, annealStrategy = 'cos' } = options;
    const groups = optimizer.paramGroups.length;
    const swaLrs = Array.isArray(swaLr) ? [...swaLr] : new Array<number>(groups).fill(swaLr);
    if (swaLrs.length !== groups)
      throw new ConfigError(`swaLr has ${swaLrs.length} values, the optimizer ${groups} groups.`);
    if (!(Number.isInteger(annealEpochs) && annealEpochs >= 0))
      throw new ConfigError(`annealEpochs must be a whole number of at least 0, not ${annealEpochs}.`);
    super(optimizer);
    this.#swaLrs = swaLrs;
    this.#annealEpochs = annealEpochs;
    this.#linear = annealStrategy === 'linear';
  }

  /** Another schedule may have changed the learning rate since this one was made. */
  override step(): void {
    if (this.lastEpoch === 0)
      for (const i of this.baseLrs.keys()) this.baseLrs[i] = this.optimizer.paramGroups[i]?.lr as number;
    super.step();
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    if (epoch === 0) return baseLr;
    const part = Math.min(1, epoch / Math.max(1, this.#annealEpochs));
    const share = this.#linear ? part : (1 - Math.cos(Math.PI * part)) / 2;
    return (this.#swaLrs[group] as number) * share + baseLr * (1 - share);
  }
}
