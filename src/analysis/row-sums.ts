import { keep, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * Sums of values by group, float64 and on the device of what is added: nothing waits for the device before {@link
 * read}, and the memory is that of the sums, however much is added.
 */
export class RowSums {
  #sums: Tensor | undefined;

  /**
   * @param rows how many groups
   * @param columns how many values each
   */
  constructor(
    readonly rows: number,
    readonly columns: number,
  ) {}

  /** Adds `values` [N, columns] to the rows that `groups` (int64 [N]) names. Call it inside a scope. */
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

/** A quotient, or null where nothing was counted. */
export const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
