import { scope, type Tensor } from '../tensor/index.js';

/** Of the largest value of a tensor: what another order of the same sums changes, with a margin. */
const tolerance = 1e-4;

/** Whether two lists of tensors are equal but for the rounding of another order of the same computation. */
export function withinRounding(
  actual: readonly (Tensor | null)[],
  expected: readonly (Tensor | null)[],
  share = tolerance,
): boolean {
  return actual.length === expected.length && actual.every((tensor, i) => isClose(tensor, expected[i] ?? null, share));
}

function isClose(actual: Tensor | null, expected: Tensor | null, share: number): boolean {
  if (!actual || !expected) return actual === expected;
  if (actual.shape.join() !== expected.shape.join()) return false;
  return scope(() => {
    const difference = Number(actual.sub(expected).abs().max().item());
    // A difference that is no number is none that is small.
    return difference <= share * Number(expected.abs().max().item());
  });
}
