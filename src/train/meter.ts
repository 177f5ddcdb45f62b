import type { Terms } from '../flow.js';
import { keep, type Tensor, functions as torch } from '../tensor/index.js';

/** Running means of loss terms, kept on the device: nothing is read before {@link read}. */
export class TermMeter {
  readonly #sums = new Map<string, Tensor>();
  #count = 0;

  /** Adds the values of a batch of `count` samples. */
  add(terms: Terms, loss: Tensor, count: number): void {
    for (const [name, value] of [
      ...Object.entries(terms).map(([term, { value }]) => [term, value] as const),
      ['loss', loss] as const,
    ]) {
      let sum = this.#sums.get(name);
      if (!sum) {
        sum = keep(torch.zeros([], { dtype: 'float64', device: value.device }));
        this.#sums.set(name, sum);
      }
      sum.add_(value.detach(), { alpha: count });
    }
    this.#count += count;
  }

  /** The means since the last read, by name, `loss` being that of the weighted sum; starts anew. */
  read(): Record<string, number> {
    const means: Record<string, number> = {};
    for (const [name, sum] of this.#sums) {
      means[name] = Number(sum.item()) / this.#count;
      sum.zero_();
    }
    this.#count = 0;
    return means;
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }
}
