import { checkCall } from '../call.js';
import { native } from '../native.js';

/** Floating-point operations counted by {@link countFlops}. */
export interface FlopCount {
  /** Sum over all operators; one multiply-add counts as two. */
  total: number;
  /** Counts by operator name, such as `aten::convolution`. */
  byOperator: Record<string, number>;
}

/**
 * Runs `body` and counts the floating-point operations of its matrix products, convolutions and attention, forward and
 * backward, also inside other operators. Elementwise work is not counted. Calls cannot be nested. As
 * torch.utils.flop_counter.
 */
export function countFlops(body: () => void): FlopCount {
  checkCall('countFlops', ['body: function'], undefined, arguments);
  return watchFlops((soFar) => {
    body();
    return soFar();
  });
}

/** Runs `body` with a function that returns the counts since `body` began. */
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
