/** This process's share of a batch that several processes compute together. */
import { type Tensor, functions as torch } from '../tensor/index.js';

export interface BatchShare {
  /** Index of its first sample in the batch, its number of samples, and the number over all processes. */
  begin: number;
  size: number;
  total: number;
  /** Whether batch normalization uses the statistics of the whole batch. */
  synchronized: boolean;
}

let current: BatchShare | undefined;

/** Runs `body` on a share of a batch; modules draw random numbers as for the whole batch, whatever the share. */
export function withBatchShare<T>(share: BatchShare | undefined, body: () => T): T {
  const before = current;
  current = share;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** Whether every batch normalization uses the statistics of all processes. */
export const synchronizes = (): boolean => current?.synchronized ?? false;

/**
 * Applies `drop` to the share's samples as if to the whole batch: factors are drawn for all samples, so that every
 * process draws equally many numbers, and the result is the same for any number of processes.
 */
export function droppedAsWhole(x: Tensor, drop: (x: Tensor) => Tensor): Tensor {
  if (!current || current.size === current.total || x.shape[0] !== current.size) return drop(x);
  const { begin, size, total } = current;
  // The rest of the batch, before and after the share, is filled with zeros.
  const whole = torch.cat([
    x.newZeros([begin, ...x.shape.slice(1)]),
    x,
    x.newZeros([total - begin - size, ...x.shape.slice(1)]),
  ]);
  return drop(whole).narrow(0, begin, size);
}
