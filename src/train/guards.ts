import { messageOf, NativeError, OutOfMemoryError } from '../errors.js';

/**
 * Whether a device has failed for good: CUDA's errors that stay with the process ("sticky" ones), after which every
 * call fails.
 */
export function deviceLost(error: unknown): boolean {
  const reason =
    /illegal memory access|illegal instruction|misaligned address|invalid program counter|unspecified launch failure|device-side assert|launch timed out|uncorrectable|hardware stack error|context is destroyed|device is lost|no longer available|fallen off/i;
  return error instanceof NativeError && reason.test(messageOf(error));
}

/** Whether an operator failed for want of memory, on whatever device. */
export function outOfMemory(error: unknown): boolean {
  return error instanceof OutOfMemoryError || /out of memory|can't allocate memory/i.test(messageOf(error));
}
