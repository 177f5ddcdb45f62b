import type { Terms } from '../flow.js';
import { keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/** What an epoch of training was like. */
export interface TrainMeans {
  /** Of the weighted sum. */
  loss: number;
  /** Of each term, unweighted. */
  terms: Record<string, number>;
  /** Percent; absent where right and wrong were not counted. */
  top1?: number;
}

/** Names of sums that are no term. */
const [lossName, rightName] = ['loss', 'right'];

/** Running means of loss terms and the share of right predictions, kept on the device: nothing is read before {@link read}. */
export class TermMeter {
  readonly #sums = new Map<string, Tensor>();
  #count = 0;

  constructor(private readonly device = 'cpu') {}

  /** Adds the means of a batch of `count` samples, and how many of them were right. */
  add(terms: Terms, loss: Tensor, count: number, right?: Tensor): void {
    for (const [name, { value }] of Object.entries(terms)) this.#add(name, value, count);
    this.#add(lossName, loss, count);
    if (right) this.#add(rightName, right, 1);
    this.#count += count;
  }

  #add(name: string, value: Tensor, times: number): void {
    let sum = this.#sums.get(name);
    if (!sum) {
      sum = keep(torch.zeros([], { dtype: 'float64', device: this.device }));
      this.#sums.set(name, sum);
    }
    sum.add_(value.detach(), { alpha: times });
  }

  /** The means since the last read; starts anew. */
  read(): TrainMeans {
    const means: Record<string, number> = {};
    for (const [name, sum] of this.#sums) {
      means[name] = Number(sum.item()) / this.#count;
      sum.zero_();
    }
    this.#count = 0;
    const { [lossName]: loss = Number.NaN, [rightName]: right, ...terms } = means;
    return { loss, terms, ...(right !== undefined && { top1: 100 * right }) };
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
          this.#sums.set(name, keep(torch.full([], value, { dtype: 'float64', device: this.device })));
      }),
    );
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }
}
