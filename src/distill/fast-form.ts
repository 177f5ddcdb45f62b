/** The faster form of a teacher, and whether it may stand in for the teacher. */
import { autocast, type FrozenGraph, type Tensor } from '../tensor/index.js';
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
  if (precision === 'float32') return withinRounding(fast(), usual());
  return isAsGood(exactly(device, fast), usual(), exactly(device, usual));
}
