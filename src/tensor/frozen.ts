import { type Handle, native } from '../native.js';
import { dtypeCode } from './dtype.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/**
 * A network that is only run, never trained: libtorch's graph with the weights as constants in it. A run is one native
 * call, without gradient. Lives until dispose().
 */
export class FrozenGraph {
  /** @internal Takes the handle over. */
  constructor(private readonly handle: Handle) {
    native().keep(handle);
  }

  /**
   * Records what `forward` does to images; what does not come from them becomes constant, as in torch.jit.trace. Sizes
   * are constant too where `forward` reads them, so the graph is for images of this size and any number of them. No
   * weight may require a gradient.
   */
  static trace(images: Tensor, forward: (images: Tensor) => readonly Tensor[]): FrozenGraph {
    const traced = (handle: Handle) => forward(owned(new Tensor(handle))).map((output) => output.handle);
    return new FrozenGraph(native().frozenTrace(images.handle, traced));
  }

  /**
   * The same with normalizations and constant factors folded into the convolutions before them; equal up to rounding.
   */
  folded(): FrozenGraph {
    return new FrozenGraph(native().frozenFold(this.handle));
  }

  /**
   * Returns the same with normalizations folded into convolutions, which computes in half precision throughout: images
   * are cast once, and nothing else in a run. Not to be run within autocast, which casts back and forth.
   */
  narrowed(dtype: 'bfloat16' | 'float16'): FrozenGraph {
    return new FrozenGraph(native().frozenNarrow(this.handle, dtypeCode(dtype)));
  }

  /** What the graph gives for images; null where it gives nothing at that place. */
  run(images: Tensor): (Tensor | null)[] {
    return native()
      .frozenRun(this.handle, images.handle)
      .map((output) => (output === null ? null : owned(new Tensor(output))));
  }

  /** The graph in libtorch's notation, for people. */
  toString(): string {
    return native().frozenText(this.handle);
  }

  dispose(): void {
    native().release(this.handle);
  }
}
