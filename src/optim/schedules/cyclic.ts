import { checkCall, type Kinds } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { checkCount } from '../checks.js';
import { type Cycled, checkCycled, setMomentum } from './momentum.js';
import { LRScheduler } from './schedule.js';

/** Options of {@link CyclicLR}. */
export interface CyclicOptions {
  /** The lowest learning rate, one for all groups or one per group. */
  baseLr: number | number[];
  /** The highest learning rate, one for all groups or one per group. */
  maxLr: number | number[];
  /** Steps from the lowest to the highest. Default 2000. */
  stepSizeUp?: number;
  /** Steps back. Default stepSizeUp. */
  stepSizeDown?: number;
  /** Keeps the height, halves it each cycle, or multiplies it by gamma ** step. Default `triangular`. */
  mode?: 'triangular' | 'triangular2' | 'exp_range';
  /** Default 1. */
  gamma?: number;
  /** A factor of the height instead of the mode's; `scaleMode` says of what. Default null. */
  scaleFn?: ((x: number) => number) | null;
  /** Whether scaleFn receives the number of the cycle, from 1, or of the step. Default `cycle`. */
  scaleMode?: 'cycle' | 'iterations';
  /** Cycles momentum, or the first of betas, inversely to the learning rate. Default true. */
  cycleMomentum?: boolean;
  /** Momentum at the highest learning rate. Default 0.8. */
  baseMomentum?: number;
  /** Momentum at the lowest learning rate. Default 0.9. */
  maxMomentum?: number;
}

const kinds: Kinds<CyclicOptions> = {
  baseLr: 'any',
  maxLr: 'any',
  stepSizeUp: 'number',
  stepSizeDown: 'number',
  mode: ['triangular', 'triangular2', 'exp_range'],
  gamma: 'number',
  scaleFn: 'any',
  scaleMode: ['cycle', 'iterations'],
  cycleMomentum: 'boolean',
  baseMomentum: 'number',
  maxMomentum: 'number',
};

/**
 * Up and down between two learning rates, again and again, usually step by step and not by epochs, as
 * torch.optim.lr_scheduler.CyclicLR. Throws ConfigError if a number of steps is not whole and above 0, baseLr or maxLr
 * has not one value for each group, or momentum is to move and the optimizer has none.
 */
export class CyclicLR extends LRScheduler {
  readonly #maxLrs: number[];
  readonly #up: number;
  readonly #length: number;
  readonly #scale: (epoch: number, cycle: number) => number;
  readonly #momentum: { base: number; max: number } | undefined;

  constructor(optimizer: Cycled, options: CyclicOptions) {
    checkCall('new optim.CyclicLR', ['optimizer: optimizer'], kinds, arguments, ['baseLr', 'maxLr']);
    const { baseLr, maxLr, stepSizeUp = 2000, stepSizeDown = stepSizeUp } = options;
    const { cycleMomentum = true, baseMomentum = 0.8, maxMomentum = 0.9 } = options;
    checkCount('stepSizeUp', stepSizeUp);
    checkCount('stepSizeDown', stepSizeDown);
    const [bases, maxLrs] = [listed('baseLr', baseLr, optimizer), listed('maxLr', maxLr, optimizer)];
    if (cycleMomentum) checkCycled(optimizer);
    super(optimizer);
    this.#maxLrs = maxLrs;
    this.#up = stepSizeUp;
    this.#length = stepSizeUp + stepSizeDown;
    this.#scale = scaleOf(options);
    this.#momentum = cycleMomentum ? { base: baseMomentum, max: maxMomentum } : undefined;
    for (const [i, group] of optimizer.paramGroups.entries()) {
      group.initialLr = bases[i] as number;
      this.baseLrs[i] = group.initialLr;
    }
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    return baseLr + ((this.#maxLrs[group] as number) - baseLr) * this.heightAt(epoch);
  }

  override goTo(epoch: number): void {
    super.goTo(epoch);
    if (!this.#momentum) return;
    const { base, max } = this.#momentum;
    setMomentum(this.optimizer, max - (max - base) * this.heightAt(epoch));
  }

  /** The height above the base, 1 at the top of a cycle that is not scaled. */
  private heightAt(epoch: number): number {
    const cycle = Math.floor(1 + epoch / this.#length);
    const since = epoch - (cycle - 1) * this.#length;
    const height = since <= this.#up ? since / this.#up : (this.#length - since) / (this.#length - this.#up);
    return height * this.#scale(epoch, cycle);
  }
}

function scaleOf({ mode = 'triangular', gamma = 1, scaleFn, scaleMode = 'cycle' }: CyclicOptions) {
  if (scaleFn && typeof scaleFn !== 'function')
    throw new ConfigError(`scaleFn must be a function or null, not ${scaleFn}.`);
  if (scaleFn) return (epoch: number, cycle: number) => scaleFn(scaleMode === 'cycle' ? cycle : epoch);
  if (mode === 'triangular2') return (_epoch: number, cycle: number) => 2 ** (1 - cycle);
  if (mode === 'exp_range') return (epoch: number) => gamma ** epoch;
  return () => 1;
}

function listed(name: string, value: number | number[], { paramGroups }: Cycled): number[] {
  const all = Array.isArray(value) ? [...value] : paramGroups.map(() => value);
  if (all.length !== paramGroups.length)
    throw new ConfigError(`${name} has ${all.length} values, the optimizer ${paramGroups.length} groups.`);
  return all;
}
