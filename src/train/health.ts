import type { Tensor } from '../tensor/index.js';
import { weightedSumName } from './part.js';

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
  const firstBad = (from: number, to?: number) => values.slice(from, to).findIndex((value) => !Number.isFinite(value));
  const bad = firstBad(0, deciding);
  if (bad < 0) return undefined;
  const term = firstBad(deciding);
  if (bad < losses && term >= 0) return `the term ${terms[term]}`;
  // With several ranks, the loss of all of them also shows their statistics.
  const statistic = firstBad(losses + 1, deciding);
  if (statistic >= 0) return statistics[statistic];
  return bad < losses ? weightedSumName : 'a gradient';
}
