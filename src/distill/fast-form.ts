/** The faster form of a teacher, and whether it may stand in for the teacher. */
import { autocast, type FrozenGraph, type Tensor, withoutTf32 } from '../tensor/index.js';
import { isAsGood, withinRounding } from './equal.js';

/** What autocast computes convolutions and matrix products in. */
export type Precision = 'float32' | 'bfloat16' | 'float16';

type Outputs = (Tensor | null)[];

/** Runs `body` without casts, also within autocast. */
export const exactly = <T>(device: string, body: () => T): T =>
  autocast(device.replace(/:.*/, ''), body, { enabled: false });

/**
 * A graph made by `trace` with normalizations folded into convolutions, which computes in `precision`. It is folded in
 * float32, so that weights are rounded once.
 */
export function fasterGraph(trace: () => FrozenGraph, device: string, precision: Precision): FrozenGraph {
  return exactly(device, () => {
    const traced = trace();
    try {
      return precision === 'float32' ? traced.folded() : traced.narrowed(precision);
    } finally {
      traced.dispose();
    }
  });
}

/**
 * Whether a faster form returns what the usual one does: up to rounding in float32; in half precision, with errors that
 * are about as large.
 */
export function mayStandIn(fast: () => Outputs, usual: () => Outputs, device: string, precision: Precision): boolean {
  // TensorFloat-32 rounds folded weights to other numbers, by more than the order of sums changes: whether both compute
  // the same would depend on the images, and a resumed run could decide otherwise.
  return withoutTf32(() =>
    precision === 'float32'
      ? withinRounding(fast(), usual())
      : isAsGood(exactly(device, fast), usual(), exactly(device, usual)),
  );
}
