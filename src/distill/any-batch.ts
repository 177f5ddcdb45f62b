import { ShapeError } from '../errors.js';
import { type FrozenGraph, type Tensor, functions as torch } from '../tensor/index.js';

type Outputs = (Tensor | null)[];

/** A graph that accepts any number of images, even if it was traced with a constant batch size. */
export class AnyBatch {
  private fixed: number | undefined;

  /** @param sizes candidates for the constant batch size */
  constructor(
    readonly graph: FrozenGraph,
    readonly sizes: readonly number[],
  ) {}

  run(images: Tensor): Outputs {
    const [count = 0] = images.shape;
    if (this.fixed !== undefined && this.fixed !== count) return this.runInBatches(images, this.fixed);
    try {
      const outputs = this.graph.run(images);
      if (outputs[0]?.shape[0] === count) return outputs;
      throw new ShapeError(`its classifier returns [${outputs[0]?.shape.join(', ')}] for them`);
    } catch (error) {
      this.fixed = this.sizes.find((size) => size !== count && this.takes(images, size));
      if (this.fixed === undefined) throw error;
      return this.runInBatches(images, this.fixed);
    }
  }

  private takes(images: Tensor, size: number): boolean {
    const part = images.narrow(0, 0, Math.min(size, images.shape[0] as number));
    try {
      return this.graph.run(filledUp(part, size))[0]?.shape[0] === size;
    } catch {
      return false;
    }
  }

  /**
   * Runs the graph on batches of its constant size. The last batch is padded with zeros, and the results of the padding
   * are dropped.
   */
  private runInBatches(images: Tensor, size: number): Outputs {
    const count = images.shape[0] as number;
    const parts: Outputs[] = [];
    for (let begin = 0; begin < count; begin += size) {
      const length = Math.min(size, count - begin);
      const outputs = this.graph.run(filledUp(images.narrow(0, begin, length), size));
      parts.push(outputs.map((output) => output?.narrow(0, 0, length) ?? null));
    }
    return (parts[0] ?? []).map((first, i) => first && torch.cat(parts.map((part) => part[i] as Tensor)));
  }
}

function filledUp(images: Tensor, size: number): Tensor {
  const [count = 0, ...image] = images.shape;
  return count === size ? images : torch.cat([images, images.newZeros([size - count, ...image])]);
}
