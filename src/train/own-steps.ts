import { DeviceGraph, type GraphPool, scope } from '../tensor/index.js';
import type { CapturedBatches } from './captured-batches.js';
import type { Inputs } from './recorded-pass.js';

export interface OwnStepsSetup {
  device: string;
  /** The memory pool of all graphs. */
  pool: GraphPool;
  /** The sources of batches on the device, the best first; at least one. */
  batches: readonly CapturedBatches[];
  /** The work on a batch, which is captured. */
  body: (inputs: Inputs, graph: DeviceGraph) => void;
  /** Number of parallel branches of the body. Default 0. */
  branches?: number;
}

/** A step as one device graph that makes its own batch: the host only replays it. */
export class OwnSteps {
  #graph: DeviceGraph | undefined;
  /** Index of the source of batches in use. */
  #way = 0;

  constructor(private readonly setup: OwnStepsSetup) {}

  /**
   * Moves the device to the batch that begins at `position` of the epoch, and captures the step if it is not captured
   * yet. Tries the sources in order; throws the error of the last one.
   */
  ready(position: number): void {
    this.#batches.ready(position);
    try {
      if (this.#graph) return;
      this.#graph = this.#capture();
      // The captured step may read more of the batch than was kept.
      this.#batches.ready(position);
    } catch (error) {
      if (this.#way + 1 === this.setup.batches.length) throw error;
      this.#way++;
      this.ready(position);
    }
  }

  /** Replays the step that {@link ready} prepared. */
  replay(): void {
    this.#graph?.replay();
    this.#batches.replayed();
  }

  get #batches(): CapturedBatches {
    return this.setup.batches[this.#way] as CapturedBatches;
  }

  #capture(): DeviceGraph {
    const { device, pool, body, branches = 0 } = this.setup;
    const step = (graph: DeviceGraph) => {
      const { inputs, end } = this.#batches.make(graph);
      body(inputs, graph);
      end?.();
    };
    return scope(() => DeviceGraph.record(device, step, { pool, branches }));
  }

  /** Frees the captured graph, but not the batches. */
  forget(): void {
    this.#graph?.dispose();
    this.#graph = undefined;
  }
}
