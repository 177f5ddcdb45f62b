import type { Terms } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/** Running means of loss terms, kept on the device: nothing is read before {@link read}. */
export class TermMeter {
  readonly #sums = new Map<string, Tensor>();
  #count = 0;

  /** Adds the values of a batch of `count` samples. */
  add(terms: Terms, loss: Tensor, count: number): void {
    const values = Object.entries(terms).map(([name, { value }]) => [name, value] as const);
    for (const [name, value] of [...values, ['loss', loss] as const]) {
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

  /** Sums and count, to go on later. */
  state(): { count: number; sums: Record<string, number> } {
    return {
      count: this.#count,
      sums: Object.fromEntries([...this.#sums].map(([name, sum]) => [name, Number(sum.item())])),
    };
  }

  load({ count, sums }: { count: number; sums: Record<string, number> }): void {
    this.dispose();
    this.#count = count;
    noGrad(() =>
      scope(() => {
        for (const [name, value] of Object.entries(sums))
          this.#sums.set(name, keep(torch.full([], value, { dtype: 'float64' })));
      }),
    );
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }
}
