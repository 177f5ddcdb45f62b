import { scope, type Tensor } from '../tensor/index.js';

/** Rounding error, with a margin, of summing in another order; relative to the largest value of a tensor. */
const tolerance = 1e-4;

/** Returns whether two lists of tensors differ only by rounding: by `share` of each expected tensor's maximum. */
export function withinRounding(
  actual: readonly (Tensor | null)[],
  expected: readonly (Tensor | null)[],
  share = tolerance,
): boolean {
  return actual.length === expected.length && actual.every((tensor, i) => isClose(tensor, expected[i] ?? null, share));
}

/**
 * Returns whether `actual` is about as close to the float32 result `exact` as `usual` is; both are computed in half
 * precision.
 */
export function isAsGood(
  actual: readonly (Tensor | null)[],
  usual: readonly (Tensor | null)[],
  exact: readonly (Tensor | null)[],
): boolean {
  return (
    actual.length === exact.length &&
    exact.every((wanted, i) => {
      const [ours, theirs] = [actual[i] ?? null, usual[i] ?? null];
      if (!wanted || !ours || !theirs) return wanted === ours;
      if (ours.shape.join() !== wanted.shape.join()) return false;
      const error = (tensor: Tensor) => Number(tensor.to('float32').sub(wanted).abs().max().item());
      return scope(() => error(ours) <= 2 * error(theirs) + tolerance * Number(wanted.abs().max().item()));
    })
  );
}

function isClose(actual: Tensor | null, expected: Tensor | null, share: number): boolean {
  if (!actual || !expected) return actual === expected;
  if (actual.shape.join() !== expected.shape.join()) return false;
  return scope(() => {
    const difference = Number(actual.sub(expected).abs().max().item());
    // A difference of NaN compares as false.
    return difference <= share * Number(expected.abs().max().item());
  });
}
