import type { Loader } from '../data/loader.js';
import { scope } from '../tensor/index.js';
import { milliseconds } from './suite.js';

/** Images a second, over one epoch of a loader that nobody trains with. */
export async function epochSpeed(loader: Loader, epoch: number): Promise<number> {
  const spent = await milliseconds(async () => {
    loader.begin(epoch);
    for (let step = 0; step < loader.steps; step++) {
      await loader.ready(step);
      scope(() => {
        loader.batch(step);
      });
    }
  });
  return (1000 * loader.count) / spent;
}
