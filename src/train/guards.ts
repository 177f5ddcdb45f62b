import { messageOf, OutOfMemoryError, SrrlError } from '../errors.js';

/** Whether an operator failed for want of memory, on whatever device. */
export function outOfMemory(error: unknown): boolean {
  return error instanceof OutOfMemoryError || /out of memory|can't allocate memory/i.test(messageOf(error));
}

/** A loss, gradient, weight or statistic that is no number any more. */
export class DivergenceError extends SrrlError {
  constructor(step: number, what: string, saved?: string) {
    const where = saved === undefined ? '' : `\nThe state before the step is in ${saved}.`;
    super(
      'ERR_DIVERGED',
      `In step ${step}, ${what} is no longer a number. Lower --lr, or the weights of the terms; --on-non-finite skip goes on without such steps.${where}`,
    );
  }
}
