/** The source of batches for steps captured in a CUDA graph. */
import type { Batch } from '../flow.js';

/** The position of a batch in a run: it begins at sample `position` of an epoch. */
export interface Place {
  epoch: number;
  position: number;
}

export interface CapturedSource {
  /** The current epoch. */
  readonly epoch: number;
  /** Moves the device to a batch of `size` images; call it before {@link next} is captured or replayed. */
  goTo(place: Place, size: number): void;
  /** Returns the batch that {@link goTo} chose, made by operators of the device only. */
  next(size: number): Batch;
  /** Records that {@link next} ran, directly or in a replay. */
  moved(size: number): void;
  /**
   * Returns the place of the batch of `size` images after the one at `position`, possibly in the next epoch; undefined
   * if that batch is not available before its step.
   */
  after(position: number, size: number): Place | undefined;
  dispose(): void;
}

/** {@link CapturedSource.after} if all batches are always available; `sizeAt` returns the size at a position. */
export function nextPlace({ epoch, position }: Place, size: number, sizeAt: (position: number) => number): Place {
  const next = position + size;
  return sizeAt(next) === size ? { epoch, position: next } : { epoch: epoch + 1, position: 0 };
}
