import type { Tensor } from '../tensor/index.js';

/**
 * What tells whether a step was sound, float64 [...]: the losses, the norm of the gradients, statistics; and behind
 * them the terms, for names alone.
 */
export interface Health {
  values: Tensor;
  losses: number;
  /** Those that decide. */
  deciding: number;
  terms: string[];
}

/** What of a step's values is NaN or Inf: a loss by its term, a statistic by its name, or a gradient. */
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
