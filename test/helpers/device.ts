import { fileURLToPath } from 'node:url';
import { native } from '../../src/native.js';

const pretended = 'hpu:0';

/**
 * The device that tests of devices run on. By default one that behaves like a GPU and computes on the processor, see test/native/pretend.cc; SRRL_TEST_DEVICE names a real
 * one.
 */
export const device = process.env.SRRL_TEST_DEVICE ?? pretended;

/** Whether it computes what the processor computes, to the bit. */
export const isPretended = device === pretended;

/** Whether it is there. Without one, tests of a real device do not run. */
export const isThere = isPretended || native().devices().includes(device);

/** Adds it to the devices of this process; before anything else asks which devices there are. */
export function addDevice(): void {
  native();
  if (!isPretended) return;
  const file = fileURLToPath(new URL('../../build/test/srrl-pretend.so', import.meta.url));
  const loaded: { exports: { waits?: () => number } } = { exports: {} };
  process.dlopen(loaded, file);
  countWaits = loaded.exports.waits ?? countWaits;
}

let countWaits = (): number => 0;

/** How often the host has waited for the mock device: it read from it, or copied to it and waited for the end. */
export const waits = (): number => countWaits();
