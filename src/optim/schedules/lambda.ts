import { checkCall } from '../../call.js';
import { ConfigError } from '../../errors.js';
import { LRScheduler, type Scheduled } from './schedule.js';

/** A factor of the learning rate for a step, or one such function for each group. */
export type LrLambda = ((epoch: number) => number) | ((epoch: number) => number)[];

/** The factor's function of each group. Throws ConfigError if there is not one for each. */
function perGroup(optimizer: Scheduled, lrLambda: LrLambda): ((epoch: number) => number)[] {
  const groups = optimizer.paramGroups.length;
  const all = Array.isArray(lrLambda) ? [...lrLambda] : new Array(groups).fill(lrLambda);
  if (all.length !== groups || !all.every((one) => typeof one === 'function'))
    throw new ConfigError(`lrLambda must be a function, or one for each of the optimizer's ${groups} groups.`);
  return all;
}

/**
 * The initial learning rate times `lrLambda(epoch)`, as torch.optim.lr_scheduler.LambdaLR. Throws ConfigError if
 * lrLambda is neither a function nor one for each group.
 */
export class LambdaLR extends LRScheduler {
  readonly #lambdas: ((epoch: number) => number)[];

  constructor(optimizer: Scheduled, lrLambda: LrLambda) {
    checkCall('new optim.LambdaLR', ['optimizer: optimizer', 'lrLambda'], undefined, arguments);
    const lambdas = perGroup(optimizer, lrLambda);
    super(optimizer);
    this.#lambdas = lambdas;
    this.goTo(0);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    return baseLr * (this.#lambdas[group] as (epoch: number) => number)(epoch);
  }
}

/**
 * Multiplies the learning rate by `lrLambda(epoch)` at every step, as torch.optim.lr_scheduler.MultiplicativeLR. Throws
 * ConfigError if lrLambda is neither a function nor one for each group.
 */
export class MultiplicativeLR extends LRScheduler {
  readonly #lambdas: ((epoch: number) => number)[];
  /** The product of the factors of each group up to every step so far. */
  readonly #products: number[][];

  constructor(optimizer: Scheduled, lrLambda: LrLambda) {
    checkCall('new optim.MultiplicativeLR', ['optimizer: optimizer', 'lrLambda'], undefined, arguments);
    const lambdas = perGroup(optimizer, lrLambda);
    super(optimizer);
    this.#lambdas = lambdas;
    this.#products = lambdas.map(() => [1]);
  }

  lrAt(epoch: number, baseLr: number, group: number): number {
    const products = this.#products[group] as number[];
    for (let step = products.length; step <= epoch; step++)
      products.push((products.at(-1) as number) * (this.#lambdas[group] as (epoch: number) => number)(step));
    return baseLr * (products[Math.floor(epoch)] as number);
  }
}
