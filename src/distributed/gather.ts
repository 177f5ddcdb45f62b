import { AutogradFunction, type FunctionContext, type Tensor, functions as torch } from '../tensor/index.js';
import { getRank, getWorldSize } from './group.js';
import { allGatherNow } from './immediate.js';

/** The number of rows of each rank. */
type Rows = readonly number[];

/** Concatenates the rows of all ranks in rank order; `rows` holds the number of rows of each rank. */
export function gatherRows(x: Tensor, rows: Rows): Tensor {
  const most = Math.max(...rows);
  const own = rows[getRank()] as number;
  const padded = own === most ? x : torch.cat([x, x.newZeros([most - own, ...x.shape.slice(1)])]);
  const all = allGatherNow(padded.contiguous());
  return torch.cat(rows.map((count, rank) => all.select(0, rank).narrow(0, 0, count)));
}

/**
 * {@link gatherRows} with a gradient, for losses that every rank computes over all rows: each rank propagates the
 * gradient of its own rows, multiplied by the number of ranks because parameter gradients are averaged afterwards.
 */
export class GatherRows extends AutogradFunction {
  static forward(context: FunctionContext, x: Tensor, rows: Rows): Tensor {
    context.rows = rows;
    return gatherRows(x, rows);
  }

  static backward(context: FunctionContext, gradient: Tensor): [Tensor, null] {
    const rows = context.rows as Rows;
    const before = rows.slice(0, getRank()).reduce((sum, count) => sum + count, 0);
    return [gradient.narrow(0, before, rows[getRank()] as number).mul(getWorldSize()), null];
  }
}
