import { keep, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * Sums of values by group, in float64 on the device of the values. Nothing waits for the device before {@link read},
 * and memory does not grow with the number of added values.
 */
export class RowSums {
  #sums: Tensor | undefined;

  /**
   * @param rows number of groups
   * @param columns number of values per group
   */
  constructor(
    readonly rows: number,
    readonly columns: number,
  ) {}

  /** Adds `values` [N, columns] to the rows given by `groups` (int64 [N]). Call it inside a scope. */
  add(groups: Tensor, values: Tensor): void {
    this.#sums ??= keep(torch.zeros([this.rows, this.columns], { dtype: 'float64', device: values.device }));
    this.#sums.indexAdd_(0, groups, values.to('float64'));
  }

  /** The sums, [rows][columns]. */
  read(): number[][] {
    return this.#sums
      ? (this.#sums.tolist() as number[][])
      : Array.from({ length: this.rows }, () => new Array<number>(this.columns).fill(0));
  }

  dispose(): void {
    this.#sums?.dispose();
    this.#sums = undefined;
  }
}

/** Column sums of a matrix. */
export const total = (rows: readonly number[][]): number[] =>
  rows.reduce<number[]>((sums, row) => row.map((value, column) => value + (sums[column] ?? 0)), []);

/** Quotient of two sums; null if `whole` is 0. */
export const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
