import { messageOf } from '../errors.js';
import type { Batch, Features } from '../flow.js';
import { gradientsAside } from '../nn/aside.js';
import { DeviceGraph, type GraphPool, hostTraffic, keep, noGrad, scope, type Tensor } from '../tensor/index.js';
import { type CapturedBatches, mapFeatures, mapInputs, tensorsOf } from './captured-batches.js';
import { outOfMemory } from './guards.js';
import { OwnSteps } from './own-steps.js';
import { type Part, partOf } from './part.js';

/** The inputs of a forward pass: a batch, and the teacher's features unless the pass makes them. */
export interface Inputs {
  batch: Batch;
  teacher?: Features;
}

/** Returns the `size` images of a batch from `begin` on, with their teacher features. */
export function partOfInputs({ batch, teacher }: Inputs, begin: number, size: number): Inputs {
  const part = (tensor: Tensor) => tensor.narrow(0, begin, size);
  return { batch: partOf(batch, begin, size), ...(teacher && { teacher: mapFeatures(teacher, part) }) };
}

/** In the first pass, libraries initialize and the teacher's fast form is chosen; the second is like all others. */
const passesBefore = 2;

/** A graph of a step whose batch the host copies in. */
interface Recorded {
  graph: DeviceGraph;
  /** The tensors into which a batch is copied. */
  inputs: Tensor[];
}

/** A step in its three parts. */
export interface RecordedStep {
  /** The memory pool of all graphs. */
  pool: GraphPool;
  before: () => void;
  /** The sources of batches on the device, the best first; empty if the host has to copy batches. */
  batches: readonly CapturedBatches[];
  /** Forward and backward passes of all parts of a batch. */
  pass: (inputs: Inputs) => Part[];
  /** Whether {@link after} also accepts gradients in bfloat16. */
  readsNarrow: boolean;
  /** The update after the gradients, without the host. */
  after: (parts: Part[]) => void;
}

/**
 * The result of a step: `done` by a replay; `no memory` to capture it, so it was not done; or its parts, for which the
 * caller must do the update.
 */
export type Outcome = 'done' | 'no memory' | Part[];

/**
 * A whole step as one device graph: the host replays it, and copies a batch in before if the graph cannot make its own.
 * Values that the host computes, such as a number that a method derives from the epoch, are constants in the graph:
 * when they change, call {@link forget}. Each batch size has its own graph.
 */
export class RecordedPass {
  private readonly own: OwnSteps | undefined;
  private recorded: Recorded | undefined;
  private passes = 0;
  private updated = false;
  /** Why steps are no longer captured. */
  obstacle: string | undefined;

  constructor(
    private readonly device: string,
    private readonly step: RecordedStep,
  ) {
    const { batches, pool } = step;
    const body = (inputs: Inputs) => this.whole(inputs);
    this.own = batches.length > 0 ? new OwnSteps({ device, batches, pool, body }) : undefined;
  }

  /** Whether the warm-up passes are done, and the next step can be captured. */
  get ready(): boolean {
    return this.obstacle === undefined && this.passes >= passesBefore && this.updated;
  }

  /** Does the step at `position` of the epoch. Returns undefined if it must run operator by operator. */
  run(position: number, inputs: () => Inputs): Outcome | undefined {
    if (this.obstacle !== undefined) return undefined;
    if (!this.ready) return this.tryOut(inputs());
    const given = this.own ? undefined : inputs();
    try {
      this.own?.ready(position);
      if (given) this.readyFor(given);
    } catch (error) {
      if (outOfMemory(error)) return 'no memory';
      this.obstacle = messageOf(error);
      return undefined;
    }
    this.own?.replay();
    if (given) this.replayWith(given);
    return 'done';
  }

  /** Runs passes without capture; the last of them shows whether the next can be captured. */
  private tryOut(inputs: Inputs): Part[] {
    this.step.before();
    const before = hostTraffic.count;
    const parts = this.step.pass(inputs);
    this.passes++;
    if (this.passes === passesBefore && hostTraffic.count > before)
      this.obstacle = 'in every step numbers go to JavaScript or come from there';
    return parts;
  }

  /**
   * Called when passes returned by {@link run} led to an update: optimizer and meter have allocated their state, which
   * must not happen in a capture.
   */
  sound(): void {
    this.updated = true;
  }

  /** Runs the whole step, to be captured. */
  whole(inputs: Inputs): void {
    const { before, pass, after, readsNarrow } = this.step;
    before();
    after(gradientsAside(this.device, () => pass(inputs), { narrow: readsNarrow }));
  }

  /** Frees the captured graphs. */
  forget(): void {
    this.own?.forget();
    if (!this.recorded) return;
    const { graph, inputs } = this.recorded;
    this.recorded = undefined;
    for (const tensor of inputs) tensor.dispose();
    graph.dispose();
  }

  dispose(): void {
    this.forget();
    for (const batches of this.step.batches) batches.dispose();
  }

  private readyFor(given: Inputs): void {
    if (this.recorded && shapesOf(this.recorded.inputs) !== shapesOf(tensorsOf(given))) this.forget();
    this.recorded ??= scope(() => {
      const places = noGrad(() => mapInputs(given, (tensor) => tensor.clone()));
      const graph = DeviceGraph.record(this.device, () => this.whole(places), { pool: this.step.pool });
      return { graph, inputs: tensorsOf(places).map((tensor) => keep(tensor)) };
    });
  }

  private replayWith(given: Inputs): void {
    const { graph, inputs: places } = this.recorded as Recorded;
    const tensors = tensorsOf(given);
    noGrad(() => {
      for (const [i, place] of places.entries()) place.copy_(tensors[i] as Tensor, true);
    });
    graph.replay();
  }
}

const shapesOf = (tensors: readonly Tensor[]): string => tensors.map(({ shape }) => shape.join()).join(';');
