import { checkCall } from '../call.js';
import { type Handle, native } from '../native.js';
import type { GradientUse } from '../native-types.js';
import { uncloneable } from './conversion.js';
import type { Tensor } from './tensor.js';

/**
 * A list of tensors kept on the native side, so that operators over many tensors (`_foreach*`, `_fused*`) do not pass
 * each tensor in every call. Lives until dispose().
 */
export class TensorList {
  /** @internal */
  readonly handle: Handle;
  readonly length: number;
  /** @internal Makes structured cloning throw. */
  readonly uncloneable = uncloneable;

  constructor(tensors: readonly Tensor[] | { handle: Handle; length: number }) {
    checkCall('new TensorList', ['tensors: object'], undefined, arguments);
    const made = 'handle' in tensors;
    if (!made) checkCall('new TensorList', ['tensors: list', 'tensors: tensors'], undefined, [tensors, tensors]);
    this.handle = made ? tensors.handle : native().tensorList(tensors.map((tensor) => tensor.handle));
    this.length = tensors.length;
    native().keep(this.handle);
  }

  /**
   * Returns the gradients of a list's tensors. Throws if one is missing. `change` returns the gradients themselves;
   * `read` copies those without plain memory; `fused` also copies those with another memory order than their parameter,
   * and rejects parameters that a fused step cannot traverse; `fused sparse` also accepts sparse gradients and makes
   * them dense.
   */
  static gradients(list: TensorList, use: GradientUse): TensorList {
    return new TensorList({ handle: native().gradList(list.handle, use), length: list.length });
  }

  dispose(): void {
    native().release(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
