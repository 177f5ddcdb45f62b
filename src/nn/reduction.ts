import { ConfigError } from '../errors.js';
import type { Tensor } from '../tensor/index.js';

/** How a loss over many elements becomes one number; `none` keeps the elements. */
export type Reduction = 'none' | 'mean' | 'sum';

/** The numbers that libtorch has for them. */
export const reductionCodes: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

/** The number that libtorch has for it. Throws ConfigError for another word. */
export function codeOf(reduction: Reduction): number {
  const code = reductionCodes[reduction];
  if (code === undefined) throw new ConfigError(`reduction must be 'none', 'mean' or 'sum', not '${reduction}'.`);
  return code;
}

/** One number of many, or the many. */
export function reduce(values: Tensor, reduction: Reduction): Tensor {
  codeOf(reduction);
  if (reduction === 'none') return values;
  return reduction === 'mean' ? values.mean() : values.sum();
}
