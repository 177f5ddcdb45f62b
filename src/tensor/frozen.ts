import { type Handle, native } from '../native.js';
import { dtypeCode } from './dtype.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/**
 * A network for inference only: a libtorch graph with the weights as constants. A run is one native call and records no
 * gradient. Lives until dispose().
 */
export class FrozenGraph {
  /** @internal Takes ownership of the handle. */
  constructor(private readonly handle: Handle) {
    native().keep(handle);
  }

  /**
   * Traces `forward` on images; values that do not depend on them become constants, as in torch.jit.trace. So do sizes
   * that `forward` reads: the graph accepts any number of images, of this size only. No weight may require a gradient.
   */
  static trace(images: Tensor, forward: (images: Tensor) => readonly Tensor[]): FrozenGraph {
    const traced = (handle: Handle) => forward(owned(new Tensor(handle))).map((output) => output.handle);
    return new FrozenGraph(native().frozenTrace(images.handle, traced));
  }

  /**
   * Returns the graph with normalizations and constant factors folded into the convolutions before them; its results
   * are equal up to rounding.
   */
  folded(): FrozenGraph {
    return new FrozenGraph(native().frozenFold(this.handle));
  }

  /**
   * Returns the graph with normalizations folded into convolutions, computing in half precision throughout: a run casts
   * the images once and nothing else. Do not run it within autocast, which would cast back and forth.
   */
  narrowed(dtype: 'bfloat16' | 'float16'): FrozenGraph {
    return new FrozenGraph(native().frozenNarrow(this.handle, dtypeCode(dtype)));
  }

  /** Returns the outputs of the graph for images; null for an absent output. */
  run(images: Tensor): (Tensor | null)[] {
    return native()
      .frozenRun(this.handle, images.handle)
      .map((output) => (output === null ? null : owned(new Tensor(output))));
  }

  /** The graph in libtorch's text notation, for debugging. */
  toString(): string {
    return native().frozenText(this.handle);
  }

  dispose(): void {
    native().release(this.handle);
  }
}
