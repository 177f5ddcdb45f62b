/** Gradients of weights in steps that are captured in a device graph. */
import { native } from '../native.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';
import { copyInUse } from './half-weights.js';

let depth = 0;

/**
 * Runs `body`, a forward and backward pass under capture, with the weight gradients of convolutions on a parallel
 * branch next to the rest of the backward pass. All gradients exist when this returns. `narrow`: gradients computed in
 * bfloat16 keep that dtype, for custom kernels that read it; otherwise they have the dtype of their weight. `body` must
 * be synchronous.
 */
export function gradientsAside<T>(device: string, body: () => T, { narrow }: { narrow: boolean }): T {
  const gradients = native().gradientsBegin(device);
  depth++;
  try {
    const result = body();
    native().gradientsEnd(gradients, narrow);
    return result;
  } catch (error) {
    native().gradientsDrop(gradients);
    throw error;
  } finally {
    depth--;
    native().release(gradients);
  }
}

/** Whether this code runs inside {@link gradientsAside}. */
export const areGradientsAside = (): boolean => depth > 0;

/** As conv2d(), for parameters whose gradients may be computed on a parallel branch. */
export const conv2dAside = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  ...sizes: [stride: number[], padding: number[], dilation: number[], groups: number]
): Tensor =>
  callOverload(overloadOf('srrl::conv2d'), [x, weight, bias, copyInUse(weight), copyInUse(bias), ...sizes]) as Tensor;
