/** This process's share of a batch that several processes compute together. */
import { type Tensor, functions as torch } from '../tensor/index.js';

export interface BatchShare {
  /** Where its samples begin in the batch, how many they are, and how many all processes have. */
  begin: number;
  size: number;
  total: number;
  /** Whether batch normalization uses the statistics of the whole batch. */
  synchronized: boolean;
}

let current: BatchShare | undefined;

/** Runs `body`, in which modules see a share of a batch; what they draw is the whole batch's, whatever the share. */
export function withBatchShare<T>(share: BatchShare | undefined, body: () => T): T {
  const before = current;
  current = share;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** Whether every batch normalization is to use statistics of all processes. */
export const synchronizes = (): boolean => current?.synchronized ?? false;

/**
 * `drop(x)` of the share's samples as it would be of the whole batch's: factors are drawn for all of them, so that
 * every process draws equally many numbers, and the result is the same for any number of processes.
 */
export function droppedAsWhole(x: Tensor, drop: (x: Tensor) => Tensor): Tensor {
  if (!current || current.size === current.total || x.shape[0] !== current.size) return drop(x);
  const { begin, size, total } = current;
  // Behind and before the share stand zeros.
  const whole = torch.cat([
    x.newZeros([begin, ...x.shape.slice(1)]),
    x,
    x.newZeros([total - begin - size, ...x.shape.slice(1)]),
  ]);
  return drop(whole).narrow(0, begin, size);
}
