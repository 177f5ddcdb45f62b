import { ConfigError } from '../errors.js';

/** Throws ConfigError if one of the options is below 0 or NaN. */
export function checkNotNegative(options: Record<string, number>): void {
  for (const [name, value] of Object.entries(options))
    if (!(value >= 0)) throw new ConfigError(`${name} must be at least 0, not ${value}.`);
}

/** Throws ConfigError if one of the decay rates is not in [0, 1). */
export function checkBetas(betas: readonly [number, number]): void {
  if (!(betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1)))
    throw new ConfigError(`betas must be two numbers of at least 0 and below 1, not [${betas.join(', ')}].`);
}

/** Throws ConfigError if a number of steps is not a whole number above 0. */
export function checkCount(name: string, value: number): void {
  if (!(Number.isInteger(value) && value > 0))
    throw new ConfigError(`${name} must be a whole number above 0, not ${value}.`);
}

/** Throws ConfigError if an optimizer's step receives a closure, which only L-BFGS takes. */
export function refuseClosure(given: unknown): void {
  if (typeof given === 'function')
    throw new ConfigError('Only LBFGS takes a closure: call it yourself, and then optimizer.step().');
}
