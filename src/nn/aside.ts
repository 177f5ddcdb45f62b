/** Gradients of weights in steps that are captured in a device graph. */
import { native } from '../native.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';
import { copyInUse } from './half-weights.js';

let depth = 0;

/**
 * Runs `body`, a forward and backward that are being captured, and lets the device compute the gradients of weights of
 * convolutions next to the rest of the backward. All gradients are there when this returns. `narrow`: gradients that
 * were computed in bfloat16 stay so, for own kernels that read them; otherwise they have the type of their weight, as
 * always. `body` must be synchronous.
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

/** Whether {@link gradientsAside} is around. */
export const areGradientsAside = (): boolean => depth > 0;

/** As conv2d(), of parameters whose gradients may be computed aside. */
export const conv2dAside = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  ...sizes: [stride: number[], padding: number[], dilation: number[], groups: number]
): Tensor =>
  callOverload(overloadOf('srrl::conv2d'), [x, weight, bias, copyInUse(weight), copyInUse(bias), ...sizes]) as Tensor;
