/** What captured steps take their batches from. */
import type { Batch } from '../flow.js';

/** Which batch of a run: the one that begins at `position` of an epoch. */
export interface Place {
  epoch: number;
  position: number;
}

export interface CapturedSource {
  /** The epoch that has begun. */
  readonly epoch: number;
  /** Brings the device to a batch of `size` images, before {@link next} is captured or replayed. */
  goTo(place: Place, size: number): void;
  /** The batch that the device was brought to, by operators of the device alone. */
  next(size: number): Batch;
  /** Counts that {@link next} was done, by itself or in a replay. */
  moved(size: number): void;
  /**
   * The next batch of `size` images behind the one at `position`, also of the next epoch; undefined where it cannot be
   * had before its step.
   */
  after(position: number, size: number): Place | undefined;
  dispose(): void;
}

/** {@link CapturedSource.after} where all batches can be had at any time; `sizeAt`: of the batch at a position. */
export function nextPlace({ epoch, position }: Place, size: number, sizeAt: (position: number) => number): Place {
  const next = position + size;
  return sizeAt(next) === size ? { epoch, position: next } : { epoch: epoch + 1, position: 0 };
}
