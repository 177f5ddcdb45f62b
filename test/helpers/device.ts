import { fileURLToPath } from 'node:url';
import { native } from '../../src/native.js';

const pretended = 'hpu:0';

/**
 * The device that tests of devices run on. By default one that behaves like a GPU and computes on the CPU, see
 * test/native/pretend.cc; SRRL_TEST_DEVICE names a real one.
 */
export const device = process.env.SRRL_TEST_DEVICE ?? pretended;

/** Whether it computes what the CPU computes, bit for bit. */
export const isMock = device === pretended;

/** Whether it is there. Without one, tests of a real device do not run. */
export const isThere = isMock || native().devices().includes(device);

const pretend: { exports: { emulateKernels?: () => void; waits?: () => number } } = { exports: {} };

/** Adds it to the devices of this process; before anything else asks which devices there are. */
export function addDevice(): void {
  native();
  if (!isMock) return;
  process.dlopen(pretend, fileURLToPath(new URL('../../build/test/srrl-pretend.so', import.meta.url)));
}

/** Lets the mock device run kernels from now on, by fibers on the CPU. */
export function emulateKernels(): void {
  pretend.exports.emulateKernels?.();
}

/** How often the host has waited for the mock device: it read from it, or copied to it and waited for the end. */
export const waits = (): number => pretend.exports.waits?.() ?? 0;
