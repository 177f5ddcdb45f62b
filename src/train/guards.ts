import { messageOf, OutOfMemoryError } from '../errors.js';

/** Whether an operator failed for want of memory, on whatever device. */
export function outOfMemory(error: unknown): boolean {
  return error instanceof OutOfMemoryError || /out of memory|can't allocate memory/i.test(messageOf(error));
}
