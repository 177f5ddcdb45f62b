import { checkCall } from '../call.js';
import { native } from '../native.js';

/** Floating-point operations, by `torch.countFlops`. */
export interface FlopCount {
  /** A multiplication and an addition count two. */
  total: number;
  /** By operator, as in `aten::convolution`. */
  byOperator: Record<string, number>;
}

/**
 * Runs `body` and counts the floating-point operations of its matrix products, convolutions and attention, forward and
 * backward, whatever they were called through. Elementwise work is not counted. As torch.utils.flop_counter. Does not
 * nest.
 */
export function countFlops(body: () => void): FlopCount {
  checkCall('countFlops', ['body: function'], undefined, arguments);
  return watchFlops((soFar) => {
    body();
    return soFar();
  });
}

/** Runs `body` with a function that tells what was counted since it began. */
export function watchFlops<T>(body: (soFar: () => FlopCount) => T): T {
  checkCall('watchFlops', ['body: function'], undefined, arguments);
  native().startFlops();
  try {
    return body(() => {
      const byOperator = native().readFlops();
      return { total: Object.values(byOperator).reduce((sum, count) => sum + count, 0), byOperator };
    });
  } finally {
    native().stopFlops();
  }
}
