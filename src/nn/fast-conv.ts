import { checkCall } from '../call.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';

let depth = 0;

/**
 * Runs `body` with 3x3 convolutions of stride 1 by Winograd's minimal filtering, F(4x4, 3x3), forward and backward: 1.2
 * to 3 times as fast as the plain ones on float32 maps in channels_last, with errors of up to 3e-5 of the largest value
 * instead of 1e-6 (docs/performance.md). Convolutions of other kinds, and machines without AVX2, compute as always.
 * `body` must be synchronous.
 */
export function fastConvolutions<T>(body: () => T): T {
  checkCall('fastConvolutions', ['body: function'], undefined, arguments);
  depth++;
  try {
    return body();
  } finally {
    depth--;
  }
}

/** Whether this code runs inside {@link fastConvolutions}. */
export const fastConvolutionsOn = (): boolean => depth > 0;

/**
 * Convolves [N, C, H, W] with a kernel [K, C, 3, 3], stride 1 and zero padding 1; uses aten's conv2d if nothing faster
 * is available.
 */
export const conv3x3 = (x: Tensor, weight: Tensor, bias: Tensor | null): Tensor =>
  callOverload(overloadOf('srrl::conv3x3'), [x, weight, bias]) as Tensor;
