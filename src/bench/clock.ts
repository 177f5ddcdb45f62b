/** Measures time by the events of a device, if it has them, or else by the host's clock. */
import { native } from '../native.js';
import { Event } from '../tensor/index.js';

/** Returns the milliseconds that `work` takes until the device has finished it. */
export async function milliseconds(work: () => unknown, device = 'cpu'): Promise<number> {
  const stop = startClock(device);
  await work();
  return stop();
}

/** Starts a clock once the device is idle; the returned function stops it and returns milliseconds. */
export function startClock(device: string): () => number {
  if (device !== 'cpu') native().synchronize();
  return Event.timesOn(device) ? deviceClock(device) : hostClock(device);
}

function deviceClock(device: string): () => number {
  const [begin, end] = [new Event({ device, enableTiming: true }), new Event({ device, enableTiming: true })];
  begin.record();
  return () => {
    end.record();
    end.synchronize();
    const spent = begin.elapsedTime(end);
    for (const event of [begin, end]) event.dispose();
    return spent;
  };
}

function hostClock(device: string): () => number {
  const began = process.hrtime.bigint();
  return () => {
    if (device !== 'cpu') native().synchronize();
    return Number(process.hrtime.bigint() - began) / 1e6;
  };
}
