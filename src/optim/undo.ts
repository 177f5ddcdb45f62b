import { keep, noGrad, scope, type Tensor, TensorList } from '../tensor/index.js';
import { copyAll_ } from './many.js';

/**
 * Restores tensors that operators changed; on a device without waiting, in a few kernels for all tensors together.
 */
export class Undo {
  readonly #tensors: TensorList;
  readonly #kept: TensorList;
  readonly #copies: readonly Tensor[];

  constructor(tensors: readonly Tensor[]) {
    this.#copies = noGrad(() => scope(() => tensors.map((tensor) => keep(tensor.clone()))));
    this.#tensors = new TensorList(tensors);
    this.#kept = new TensorList(this.#copies);
  }

  remember(): void {
    noGrad(() => copyAll_(this.#kept, this.#tensors));
  }

  restore(): void {
    noGrad(() => copyAll_(this.#tensors, this.#kept));
  }

  /** Restores where `found` (one element, on the device) is above 0; the host does not wait. */
  restoreIf(found: Tensor): void {
    noGrad(() => copyAll_(this.#tensors, this.#kept, found));
  }

  dispose(): void {
    for (const holder of [this.#tensors, this.#kept, ...this.#copies]) holder.dispose();
  }
}
