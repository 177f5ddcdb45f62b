import { fileURLToPath } from 'node:url';
import { native } from '../../src/native.js';

/** A device that behaves like a GPU and computes on the processor, see test/native/pretend.cc. */
export const pretend = 'hpu:0';

/** Adds it to the devices of this process; before anything else asks which devices there are. */
export function addPretendDevice(): void {
  native();
  const file = fileURLToPath(new URL('../../build/Release/srrl-pretend.so', import.meta.url));
  process.dlopen({ exports: {} }, file);
}
