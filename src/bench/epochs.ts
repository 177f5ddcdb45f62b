import type { CapturedSource } from '../data/captured.js';
import type { Loader } from '../data/loader.js';
import { DeviceGraph, scope } from '../tensor/index.js';
import { milliseconds } from './clock.js';

/** Returns the images per second over one epoch of a loader, without training. */
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

/** Epochs of a loader on a device, with batches captured in a device graph as in a run. */
export class CapturedEpochs {
  readonly #own: CapturedSource;
  readonly #size: number;
  #graph: DeviceGraph | undefined;

  constructor(private readonly loader: Loader) {
    const own = loader.onDevice();
    if (!own) throw new TypeError('images in memory lie on the device');
    this.#own = own;
    this.#size = loader.sizeOf(0);
  }

  /** Returns images per second. */
  async speed(epoch: number): Promise<number> {
    this.#graph ??= this.#record();
    const graph = this.#graph;
    const spent = await milliseconds(() => {
      this.loader.begin(epoch);
      this.#own.goTo({ epoch, position: 0 }, this.#size);
      for (let step = 0; step < this.loader.steps; step++) {
        graph.replay();
        this.#own.moved(this.#size);
      }
    }, this.loader.device);
    return (1000 * this.loader.count) / spent;
  }

  #record(): DeviceGraph {
    const { loader } = this;
    loader.begin(0);
    this.#own.goTo({ epoch: 0, position: 0 }, this.#size);
    const next = () =>
      scope(() => {
        this.#own.next(this.#size);
      });
    // The first batch runs uncaptured: what the device creates only once cannot be captured.
    next();
    this.#own.moved(this.#size);
    return DeviceGraph.record(loader.device, next);
  }

  dispose(): void {
    this.#graph?.dispose();
  }
}
