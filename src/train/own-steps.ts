import { DeviceGraph, type GraphPool, scope } from '../tensor/index.js';
import type { CapturedBatches } from './captured-batches.js';
import type { Inputs } from './recorded-pass.js';

export interface OwnStepsSetup {
  device: string;
  /** Where graphs take memory from. */
  pool: GraphPool;
  /** What may make batches on the device, the best first; one at least. */
  batches: readonly CapturedBatches[];
  /** Is captured: what happens to a batch. */
  body: (inputs: Inputs, graph: DeviceGraph) => void;
  /** How many branches the body has at once. */
  branches?: number;
}

/** A step as one graph of the device that makes its own batch: a replay is all that the host asks for. */
export class OwnSteps {
  #graph: DeviceGraph | undefined;
  /** Which of the ways to make batches is used. */
  #way = 0;

  constructor(private readonly setup: OwnStepsSetup) {}

  /**
   * Brings the device to the batch that begins at `position` of the epoch, and captures the step where that was not
   * done. Throws what capturing it with the last of the ways throws.
   */
  ready(position: number): void {
    this.#batches.ready(position);
    try {
      if (this.#graph) return;
      this.#graph = this.#capture();
      // It may look at more of the batch than was kept.
      this.#batches.ready(position);
    } catch (error) {
      if (this.#way + 1 === this.setup.batches.length) throw error;
      this.#way++;
      this.ready(position);
    }
  }

  /** Does the step that is {@link ready}. */
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

  /** Gives up what was captured, but not the batches. */
  forget(): void {
    this.#graph?.dispose();
    this.#graph = undefined;
  }
}
