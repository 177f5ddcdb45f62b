import { ConfigError } from '../errors.js';
import type { Tensor } from '../tensor/index.js';

/** How a loss over many elements is reduced to one number; `none` keeps the elements. */
export type Reduction = 'none' | 'mean' | 'sum';

/** libtorch's numbers for the reductions. */
export const reductionCodes: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

/** Returns libtorch's number for a reduction. Throws ConfigError for an unknown name. */
export function codeOf(reduction: Reduction): number {
  const code = reductionCodes[reduction];
  if (code === undefined) throw new ConfigError(`reduction must be 'none', 'mean' or 'sum', not '${reduction}'.`);
  return code;
}

/** Reduces values to their mean or sum, or returns them for `none`. */
export function reduce(values: Tensor, reduction: Reduction): Tensor {
  codeOf(reduction);
  if (reduction === 'none') return values;
  return reduction === 'mean' ? values.mean() : values.sum();
}
