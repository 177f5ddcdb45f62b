/** Creates the faster form of a teacher, and checks whether it may replace the teacher. */
import { autocast, type FrozenGraph, type Tensor, withoutTf32 } from '../tensor/index.js';
import { isAsGood, withinRounding } from './equal.js';

/** The dtype in which autocast computes convolutions and matrix products. */
export type Precision = 'float32' | 'bfloat16' | 'float16';

type Outputs = (Tensor | null)[];

/** Runs `body` without casts, also within autocast. */
export const exactly = <T>(device: string, body: () => T): T =>
  autocast(device.replace(/:.*/, ''), body, { enabled: false });

/**
 * Returns the graph of `trace` with normalizations folded into convolutions, computing in `precision`. It is folded in
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
 * Returns whether a faster form agrees with the usual one: in float32 up to rounding; in half precision with errors of
 * about the same size.
 */
export function mayStandIn(fast: () => Outputs, usual: () => Outputs, device: string, precision: Precision): boolean {
  // TensorFloat-32 rounds folded weights differently, by more than the tolerance for another order of sums: the result
  // would depend on the images, and a resumed run could decide otherwise.
  return withoutTf32(() =>
    precision === 'float32'
      ? withinRounding(fast(), usual())
      : isAsGood(exactly(device, fast), usual(), exactly(device, usual)),
  );
}
