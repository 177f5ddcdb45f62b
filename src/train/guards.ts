import { messageOf, NativeError, OutOfMemoryError } from '../errors.js';

/**
 * Returns whether a device is lost for this process: after one of CUDA's sticky errors, every call fails.
 */
export function deviceLost(error: unknown): boolean {
  const reason =
    /illegal memory access|illegal instruction|misaligned address|invalid program counter|unspecified launch failure|device-side assert|launch timed out|uncorrectable|hardware stack error|context is destroyed|device is lost|no longer available|fallen off/i;
  return error instanceof NativeError && reason.test(messageOf(error));
}

/** Returns whether an operator ran out of memory, on any device. */
export function outOfMemory(error: unknown): boolean {
  return error instanceof OutOfMemoryError || /out of memory|can't allocate memory/i.test(messageOf(error));
}
