import { callOverload, fromArray, keep, noGrad, overloadOf, scope, type Tensor } from '../tensor/index.js';
import type { Part } from './part.js';

/** The means of an epoch of training. */
export interface TrainMeans {
  /** Mean of the weighted sum. */
  loss: number;
  /** Mean of each term, unweighted. */
  terms: Record<string, number>;
  /** Percent; absent if right predictions were not counted. */
  top1?: number;
}

/** Names of the sums that are not terms. */
const [lossName, rightName] = ['loss', 'right'];

/**
 * Running means of loss terms and the share of right predictions, kept on the device until {@link read}. All sums,
 * followed by the number of samples, are one float64 vector; a step adds to it with one operator that can be captured.
 */
export class TermMeter {
  #names: string[] = [];
  #sums: Tensor | undefined;
  /** The factors for a step's values, by number of samples and share. */
  readonly #weights = new Map<string, Tensor>();

  /** @param joint sums over all processes, where there are several */
  constructor(
    private readonly device = 'cpu',
    private readonly joint: (values: number[]) => number[] = (values) => values,
  ) {}

  /**
   * Adds the means of a batch of `count` samples, and the number of right ones; nothing if `found` (one element) is
   * above 0. `share`: the fraction that is counted, by default 1.
   */
  add({ terms, loss, count, right, share = 1 }: Part, found?: Tensor): void {
    const values = new Map(Object.entries(terms).map(([name, { value }]) => [name, value]));
    values.set(lossName, loss);
    if (right) values.set(rightName, right);
    noGrad(() =>
      scope(() => {
        const sums = this.#sumsOf([...values.keys()]);
        const weights = this.#weightsOf(count, share);
        const row = this.#names.map((name) => values.get(name) ?? null);
        callOverload(overloadOf('srrl::add_means_'), [sums, row, weights, found ?? null]);
      }),
    );
  }

  /** Returns the sums, with those of `names` added. */
  #sumsOf(names: string[]): Tensor {
    const added = names.filter((name) => !this.#names.includes(name));
    if (!this.#sums || added.length > 0) {
      const { count, sums } = this.state();
      this.load({ count, sums: { ...sums, ...Object.fromEntries(added.map((name) => [name, 0])) } });
    }
    return this.#sums as Tensor;
  }

  #weightsOf(count: number, share: number): Tensor {
    const key = `${count} ${share}`;
    const known = this.#weights.get(key);
    if (known) return known;
    const values = [...this.#names.map((name) => (name === rightName ? 1 : count)), count].map(
      (value) => value * share,
    );
    const weights = keep(fromArray(Float64Array.from(values), [values.length], { device: this.device }));
    this.#weights.set(key, weights);
    return weights;
  }

  /** Returns the means since the last read, over all processes, and sets the sums to 0. */
  read(): TrainMeans {
    const { count, sums } = this.jointState();
    if (this.#sums) noGrad(() => this.#sums?.zero_());
    const means = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]));
    const { [lossName]: loss = Number.NaN, [rightName]: right, ...terms } = means;
    return { loss, terms, ...(right !== undefined && { top1: 100 * right }) };
  }

  /** Returns sums and count of this process, to resume later. */
  state(): { count: number; sums: Record<string, number> } {
    const values = (this.#sums?.tolist() ?? [0]) as number[];
    return {
      count: values.at(-1) as number,
      sums: Object.fromEntries(this.#names.map((name, i) => [name, values[i] as number])),
    };
  }

  /** Returns sums and count of all processes. */
  jointState(): { count: number; sums: Record<string, number> } {
    const { count, sums } = this.state();
    const [all = 0, ...rest] = this.joint([count, ...Object.values(sums)]);
    return { count: all, sums: Object.fromEntries(Object.keys(sums).map((name, i) => [name, rest[i] as number])) };
  }

  load({ count, sums }: { count: number; sums: Record<string, number> }): void {
    this.dispose();
    this.#names = Object.keys(sums);
    const values = Float64Array.from([...Object.values(sums), count]);
    this.#sums = scope(() => keep(fromArray(values, [values.length], { device: this.device })));
  }

  dispose(): void {
    for (const tensor of [this.#sums, ...this.#weights.values()]) tensor?.dispose();
    this.#sums = undefined;
    this.#weights.clear();
  }
}
