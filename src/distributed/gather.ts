import { AutogradFunction, type FunctionContext, type Tensor, functions as torch } from '../tensor/index.js';
import { getRank, getWorldSize } from './group.js';
import { allGatherNow } from './immediate.js';

/** How many rows each rank has. */
type Rows = readonly number[];

/** Rows of all ranks, from the first rank's to the last one's; `rows` says how many each has. */
export function gatherRows(x: Tensor, rows: Rows): Tensor {
  const most = Math.max(...rows);
  const own = rows[getRank()] as number;
  const padded = own === most ? x : torch.cat([x, x.newZeros([most - own, ...x.shape.slice(1)])]);
  const all = allGatherNow(padded.contiguous());
  return torch.cat(rows.map((count, rank) => all.select(0, rank).narrow(0, 0, count)));
}

/**
 * The same with a gradient, for losses that every rank computes of all rows: each rank continues with the gradient of
 * its own rows. It is multiplied by the number of ranks, as gradients of parameters are averaged over them afterwards.
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
