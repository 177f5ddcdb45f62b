import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { checkCount } from '../checks.js';
import { type Cycled, checkCycled, setMomentum } from './momentum.js';
import { LRScheduler } from './schedule.js';

const kinds: Kinds<OneCycleOptions> = {
  maxLr: 'any',
  totalSteps: 'number',
  epochs: 'number',
  stepsPerEpoch: 'number',
  pctStart: 'number',
  annealStrategy: ['cos', 'linear'],
  cycleMomentum: 'boolean',
  baseMomentum: 'number',
  maxMomentum: 'number',
  divFactor: 'number',
  finalDivFactor: 'number',
  threePhase: 'boolean',
};

/** Options of {@link OneCycleLR}. */
export interface OneCycleOptions {
  /** The maximum learning rate, one for all groups or one per group. */
  maxLr: number | number[];
  /** Steps of the whole cycle. Default epochs * stepsPerEpoch, which are then required. */
  totalSteps?: number;
  epochs?: number;
  stepsPerEpoch?: number;
  /** Fraction of the steps in which the learning rate rises. Default 0.3. */
  pctStart?: number;
  /** Default `cos`. */
  annealStrategy?: 'cos' | 'linear';
  /** Cycles momentum, or the first of betas, inversely to the learning rate. Default true. */
  cycleMomentum?: boolean;
  /** Momentum at the maximum learning rate. Default 0.85. */
  baseMomentum?: number;
  /** Momentum at the start and the end. Default 0.95. */
  maxMomentum?: number;
  /** The initial learning rate is maxLr / divFactor. Default 25. */
  divFactor?: number;
  /** The final learning rate is the initial one / finalDivFactor. Default 1e4. */
  finalDivFactor?: number;
  /** Falls to the initial learning rate as slowly as it rose, then to the final one. Default false. */
  threePhase?: boolean;
}

/** A stretch of the cycle: the step that it ends with, and what rate and momentum it ends with. */
interface Phase {
  end: number;
  lr: 'first' | 'max' | 'last';
  momentum: number;
}

/**
 * Up to a high rate and down to a very low one, usually step by step and not by epochs, as
 * torch.optim.lr_scheduler.OneCycleLR. Throws ConfigError if totalSteps is not a whole number above 0, pctStart not
 * in [0, 1], annealStrategy unknown, maxLr has not one value for each group, or momentum is to move and the optimizer
 * has none; also where it is stepped beyond totalSteps.
 */
export class OneCycleLR extends LRScheduler {
  readonly totalSteps: number;
  readonly #maxLrs: number[];
  readonly #phases: Phase[];
  readonly #options: Required<Omit<OneCycleOptions, 'maxLr' | 'totalSteps' | 'epochs' | 'stepsPerEpoch'>>;

  constructor(optimizer: Cycled, given: OneCycleOptions) {
    checkCall('new optim.OneCycleLR', ['optimizer: optimizer'], kinds, arguments, ['maxLr']);
    const { maxLr, epochs, stepsPerEpoch, ...rest } = given;
    if (rest.totalSteps === undefined && (epochs === undefined || stepsPerEpoch === undefined))
      throw new ConfigError('OneCycleLR needs totalSteps, or epochs and stepsPerEpoch.');
    const totalSteps = rest.totalSteps ?? Number(epochs) * Number(stepsPerEpoch);
    const options = { ...defaults, ...rest };
    const groups = optimizer.paramGroups;
    check(totalSteps, options);
    const maxLrs = Array.isArray(maxLr) ? [...maxLr] : groups.map(() => maxLr);
    if (maxLrs.length !== groups.length)
      throw new ConfigError(`maxLr has ${maxLrs.length} values, the optimizer ${groups.length} groups.`);
    if (options.cycleMomentum) checkCycled(optimizer);
    super(optimizer);
    this.totalSteps = totalSteps;
    this.#options = options;
    this.#maxLrs = maxLrs;
    this.#phases = phases(totalSteps, options);
    for (const [i, group] of groups.entries()) {
      group.initialLr = (maxLrs[i] as number) / options.divFactor;
      this.baseLrs[i] = group.initialLr;
    }
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const { from, to, part } = this.at(epoch);
    const rates = { first: baseLr, max: this.#maxLrs[group] as number, last: baseLr / this.#options.finalDivFactor };
    return anneal(rates[from.lr], rates[to.lr], part, this.#options.annealStrategy);
  }

  override goTo(epoch: number): void {
    if (epoch > this.totalSteps)
      throw new ConfigError(`The cycle has ${this.totalSteps} steps and cannot go to step ${epoch}.`);
    super.goTo(epoch);
    if (!this.#options.cycleMomentum) return;
    const { from, to, part } = this.at(epoch);
    const momentum = anneal(from.momentum, to.momentum, part, this.#options.annealStrategy);
    setMomentum(this.optimizer, momentum);
  }

  /** The stretch that a step lies in, and how much of it is done. */
  private at(epoch: number): { from: Phase; to: Phase; part: number } {
    const number = this.#phases.findIndex(({ end }, i) => i > 0 && epoch <= end);
    const at = number < 0 ? this.#phases.length - 1 : number;
    const [from, to] = [this.#phases[at - 1] as Phase, this.#phases[at] as Phase];
    const length = to.end - from.end;
    return { from, to, part: length === 0 ? 1 : (epoch - from.end) / length };
  }
}

const defaults = {
  pctStart: 0.3,
  annealStrategy: 'cos' as 'cos' | 'linear',
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
  divFactor: 25,
  finalDivFactor: 1e4,
  threePhase: false,
};

function check(totalSteps: number, { pctStart, annealStrategy }: typeof defaults): void {
  checkCount('totalSteps', totalSteps);
  if (!(pctStart >= 0 && pctStart <= 1)) throw new ConfigError(`pctStart must be from 0 to 1, not ${pctStart}.`);
  if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
    throw new ConfigError(`annealStrategy must be 'cos' or 'linear', not '${annealStrategy}'.`);
}

/** The start of the cycle, and its stretches. */
function phases(totalSteps: number, { pctStart, threePhase, baseMomentum, maxMomentum }: typeof defaults): Phase[] {
  const rise = pctStart * totalSteps;
  return [
    { end: 0, lr: 'first', momentum: maxMomentum },
    { end: rise - 1, lr: 'max', momentum: baseMomentum },
    ...(threePhase ? [{ end: 2 * rise - 2, lr: 'first', momentum: maxMomentum } as const] : []),
    { end: totalSteps - 1, lr: 'last', momentum: maxMomentum },
  ];
}

function anneal(from: number, to: number, part: number, strategy: 'cos' | 'linear'): number {
  if (strategy === 'linear') return (to - from) * part + from;
  return to + ((from - to) / 2) * (Math.cos(Math.PI * part) + 1);
}
