import type { Tensor } from '../tensor/index.js';

/**
 * The values that show NaN or Inf in a step, float64 [...]: losses, norm of the gradients, statistics; then the terms,
 * which only give a name to the problem.
 */
export interface Health {
  values: Tensor;
  losses: number;
  /** Number of values, from the first, that decide. */
  deciding: number;
  terms: string[];
}

/** Names the first NaN or Inf in a step's values: a loss by its term, a statistic by its name, or a gradient. */
export function whatIn(
  values: readonly number[],
  { losses, deciding, terms }: Omit<Health, 'values'>,
  statistics: readonly string[],
): string | undefined {
  const bad = values.slice(0, deciding).findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return undefined;
  if (bad < losses) {
    const term = values.slice(deciding).findIndex((value) => !Number.isFinite(value));
    return term < 0 ? 'the weighted sum' : `the term ${terms[term]}`;
  }
  const statistic = values.slice(losses + 1, deciding).findIndex((value) => !Number.isFinite(value));
  return statistic < 0 ? 'a gradient' : statistics[statistic];
}
