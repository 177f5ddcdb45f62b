import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { checkNotNegative } from '../checks.js';
import type { Scheduled } from './schedule.js';

const kinds: Kinds<PlateauOptions> = {
  mode: ['min', 'max'],
  factor: 'number',
  patience: 'number',
  threshold: 'number',
  thresholdMode: ['rel', 'abs'],
  cooldown: 'number',
  minLr: 'any',
  eps: 'number',
};

/** Options of {@link ReduceLROnPlateau}. */
export interface PlateauOptions {
  /** Whether less or more of the metric is better. Default `min`. */
  mode?: 'min' | 'max';
  /** Factor of the learning rate at a reduction, below 1. Default 0.1. */
  factor?: number;
  /** Tolerated number of steps without improvement. Default 10. */
  patience?: number;
  /** Minimum change that counts as an improvement. Default 1e-4. */
  threshold?: number;
  /** Whether the threshold is a part of the best value or an amount. Default `rel`. */
  thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted. Default 0. */
  cooldown?: number;
  /** Minimum learning rate, one for all groups or one per group. Default 0. */
  minLr?: number | number[];
  /** Reductions of at most this size are skipped. Default 1e-8. */
  eps?: number;
}

/** What {@link ReduceLROnPlateau.loadStateDict} needs to continue; the rates themselves are the optimizer's. */
export interface PlateauState {
  best: number;
  badEpochs: number;
  cooldownLeft: number;
  lastEpoch: number;
}

/**
 * Reduces the learning rate when a metric has stopped improving, as torch.optim.lr_scheduler.ReduceLROnPlateau. Throws
 * ConfigError where factor is not in [0, 1), mode or thresholdMode is unknown, a number is below 0, or minLr has not
 * one value for each group.
 */
export class ReduceLROnPlateau {
  lastEpoch = 0;
  /** The best metric so far. */
  best: number;
  readonly #options: Required<Omit<PlateauOptions, 'minLr'>>;
  readonly #minLrs: number[];
  #badEpochs = 0;
  #cooldownLeft = 0;

  constructor(
    readonly optimizer: Scheduled,
    options: PlateauOptions = {},
  ) {
    checkCall('new optim.ReduceLROnPlateau', ['optimizer: optimizer'], kinds, arguments);
    const {
      mode = 'min',
      factor = 0.1,
      patience = 10,
      threshold = 1e-4,
      thresholdMode = 'rel',
      cooldown = 0,
      minLr = 0,
      eps = 1e-8,
    } = options;
    if (!(factor >= 0 && factor < 1)) throw new ConfigError(`factor must be at least 0 and below 1, not ${factor}.`);
    if (mode !== 'min' && mode !== 'max') throw new ConfigError(`mode must be 'min' or 'max', not '${mode}'.`);
    if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
      throw new ConfigError(`thresholdMode must be 'rel' or 'abs', not '${thresholdMode}'.`);
    checkNotNegative({ patience, threshold, cooldown, eps });
    const groups = optimizer.paramGroups.length;
    this.#minLrs = Array.isArray(minLr) ? [...minLr] : new Array<number>(groups).fill(minLr);
    if (this.#minLrs.length !== groups)
      throw new ConfigError(`minLr has ${this.#minLrs.length} values, the optimizer ${groups} groups.`);
    this.#options = { mode, factor, patience, threshold, thresholdMode, cooldown, eps };
    this.best = mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Takes in the metric of an epoch, and reduces the rates where patience has run out. */
  step(metric: number): void {
    const { patience, cooldown } = this.#options;
    this.lastEpoch++;
    if (this.isBetter(metric)) {
      this.best = metric;
      this.#badEpochs = 0;
    } else {
      this.#badEpochs++;
    }
    if (this.#cooldownLeft > 0) {
      this.#cooldownLeft--;
      this.#badEpochs = 0;
    }
    if (this.#badEpochs <= patience) return;
    this.reduce();
    this.#cooldownLeft = cooldown;
    this.#badEpochs = 0;
  }

  private isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === 'min' ? -1 : 1;
    const mark = thresholdMode === 'rel' ? this.best * (1 + sign * threshold) : this.best + sign * threshold;
    return mode === 'min' ? metric < mark : metric > mark;
  }

  private reduce(): void {
    const { factor, eps } = this.#options;
    for (const [i, group] of this.optimizer.paramGroups.entries()) {
      const reduced = Math.max(group.lr * factor, this.#minLrs[i] ?? 0);
      if (group.lr - reduced > eps) group.lr = reduced;
    }
  }

  /** The learning rates that the optimizer's groups have now. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): PlateauState {
    return {
      best: this.best,
      badEpochs: this.#badEpochs,
      cooldownLeft: this.#cooldownLeft,
      lastEpoch: this.lastEpoch,
    };
  }

  loadStateDict(state: PlateauState): void {
    checkCall('loadStateDict', ['state: object'], undefined, arguments);
    const { best, badEpochs, cooldownLeft, lastEpoch } = state;
    this.best = best;
    this.#badEpochs = badEpochs;
    this.#cooldownLeft = cooldownLeft;
    this.lastEpoch = lastEpoch;
  }
}
