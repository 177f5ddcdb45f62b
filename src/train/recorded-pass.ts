import { messageOf } from '../errors.js';
import type { Batch, Features } from '../flow.js';
import { DeviceGraph, type GraphPool, hostTraffic, keep, noGrad, scope, type Tensor } from '../tensor/index.js';
import { type CapturedBatches, mapFeatures, mapInputs, tensorsOf } from './captured-batches.js';
import { outOfMemory } from './guards.js';
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

interface Recorded {
  graph: DeviceGraph;
  /** What a batch is copied into; empty where the graph makes its own. */
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
  private recorded: Recorded | undefined;
  private passes = 0;
  private updated = false;
  /** Which of the ways to make batches is used. */
  private way = 0;
  /** Why nothing is recorded any more. */
  obstacle: string | undefined;

  constructor(
    private readonly device: string,
    private readonly step: RecordedStep,
  ) {}

  /** Does the step of the batch that begins at `position` of the epoch; undefined where it has to go its usual way. */
  run(position: number, inputs: () => Inputs): Outcome | undefined {
    if (this.obstacle !== undefined) return undefined;
    if (this.passes < passesBefore || !this.updated) return this.tryOut(inputs());
    const batches = this.step.batches[this.way];
    batches?.ready(position);
    const given = batches ? undefined : inputs();
    if (given && this.recorded && shapesOf(this.recorded.inputs) !== shapesOf(tensorsOf(given))) this.forget();
    try {
      this.recorded ??= given ? this.recordGiven(given) : this.recordOwn(batches as CapturedBatches);
    } catch (error) {
      if (this.way + 1 < this.step.batches.length) {
        this.way++;
        return this.run(position, inputs);
      }
      if (outOfMemory(error)) return 'no memory';
      this.obstacle = messageOf(error);
      return undefined;
    }
    const { graph, inputs: places } = this.recorded;
    if (given) {
      const tensors = tensorsOf(given);
      noGrad(() => {
        for (const [i, place] of places.entries()) place.copy_(tensors[i] as Tensor, true);
      });
    }
    graph.replay();
    batches?.replayed();
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
   * Hears that passes returned by {@link run} led to an update: what the optimizer and the meter keep is there, and is
   * not made in a recording.
   */
  sound(): void {
    this.updated = true;
  }

  /** Gives up what was recorded. */
  forget(): void {
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

  private recordOwn(batches: CapturedBatches): Recorded {
    const { before, pass, after, pool } = this.step;
    const step = (graph: DeviceGraph) => {
      before();
      const { inputs, end } = batches.make(graph);
      after(pass(inputs));
      end?.();
    };
    return scope(() => ({ graph: DeviceGraph.record(this.device, step, pool), inputs: [] }));
  }

  private recordGiven(given: Inputs): Recorded {
    const { before, pass, after, pool } = this.step;
    return scope(() => {
      const own = noGrad(() => mapInputs(given, (tensor) => tensor.clone()));
      const step = () => {
        before();
        after(pass(own));
      };
      const graph = DeviceGraph.record(this.device, step, pool);
      return { graph, inputs: tensorsOf(own).map((tensor) => keep(tensor)) };
    });
  }
}

const shapesOf = (tensors: readonly Tensor[]): string => tensors.map(({ shape }) => shape.join()).join(';');
