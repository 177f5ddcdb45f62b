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

/**
 * Whether `actual`, computed in half precision, is about as close to what float32 gives as `usual` is, which was
 * computed in half precision as well.
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
    // A difference that is NaN is none that is small.
    return difference <= share * Number(expected.abs().max().item());
  });
}
