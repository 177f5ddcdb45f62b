import { messageOf } from '../errors.js';
import type { Batch, Features } from '../flow.js';
import { gradientsAside } from '../nn/aside.js';
import { DeviceGraph, type GraphPool, hostTraffic, keep, noGrad, scope, type Tensor } from '../tensor/index.js';
import { type CapturedBatches, mapFeatures, mapInputs, tensorsOf } from './captured-batches.js';
import { outOfMemory } from './guards.js';
import { OwnSteps } from './own-steps.js';
import { type Part, partOf } from './part.js';

/** What a forward is given: a batch, and the teacher's features where they are not made in it. */
export interface Inputs {
  batch: Batch;
  teacher?: Features;
}

/** Images `begin` to `begin + size` of a batch, with what the teacher makes of them. */
export function partOfInputs({ batch, teacher }: Inputs, begin: number, size: number): Inputs {
  const part = (tensor: Tensor) => tensor.narrow(0, begin, size);
  return { batch: partOf(batch, begin, size), ...(teacher && { teacher: mapFeatures(teacher, part) }) };
}

/** In the first, libraries set themselves up and the teacher's fast form is looked for; the second does what all do. */
const passesBefore = 2;

/** A graph of a step whose batch the host brings. */
interface Recorded {
  graph: DeviceGraph;
  /** What a batch is copied into. */
  inputs: Tensor[];
}

/** A step in its three parts. */
export interface RecordedStep {
  /** Where graphs take memory from. */
  pool: GraphPool;
  before: () => void;
  /** What may make batches on the device, without the host, the best first; empty where the host has to bring them. */
  batches: readonly CapturedBatches[];
  /** Forward and backward, of all parts of a batch. */
  pass: (inputs: Inputs) => Part[];
  /** Whether {@link after} reads gradients in bfloat16 as well. */
  readsNarrow: boolean;
  /** What follows the gradients, without asking the host. */
  after: (parts: Part[]) => void;
}

/**
 * How a step was done: by a replay; or its passes, whose end is still to come; or not at all, as there was no memory to
 * capture it with.
 */
export type Outcome = 'done' | 'no memory' | Part[];

/**
 * A whole step as one graph of the device: the host asks once, and where the graph cannot make its batch, copies one in
 * before. What the host decides in it, such as a weight that changes with the epoch, is a constant: then the graph must
 * be forgotten. Batches of another size have another graph.
 */
export class RecordedPass {
  private readonly own: OwnSteps | undefined;
  private recorded: Recorded | undefined;
  private passes = 0;
  private updated = false;
  /** Why nothing is recorded any more. */
  obstacle: string | undefined;

  constructor(
    private readonly device: string,
    private readonly step: RecordedStep,
  ) {
    const { batches, pool } = step;
    const body = (inputs: Inputs) => this.whole(inputs);
    this.own = batches.length > 0 ? new OwnSteps({ device, batches, pool, body }) : undefined;
  }

  /** Whether the passes that come first have been done, and the next step can be captured. */
  get ready(): boolean {
    return this.obstacle === undefined && this.passes >= passesBefore && this.updated;
  }

  /** Does the step of the batch that begins at `position` of the epoch; undefined where it has to go its usual way. */
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

  /** Passes that are not recorded; the last of them show whether the next ones can be. */
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
   * Called when passes returned by {@link run} led to an update: what the optimizer and the meter keep is there, and is
   * not made in a recording.
   */
  sound(): void {
    this.updated = true;
  }

  /** The whole step, to be captured. */
  whole(inputs: Inputs): void {
    const { before, pass, after, readsNarrow } = this.step;
    before();
    after(gradientsAside(this.device, () => pass(inputs), { narrow: readsNarrow }));
  }

  /** Gives up what was recorded. */
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
