import { messageOf } from '../errors.js';
import type { Batch, Features } from '../flow.js';
import { DeviceGraph, hostTraffic, keep, noGrad, scope, type Tensor } from '../tensor/index.js';
import type { Part } from './part.js';

/** What a forward is given: a batch, and the teacher's features where they are not made in it. */
export interface Inputs {
  batch: Batch;
  teacher?: Features;
}

/** In the first, libraries set themselves up and the teacher's fast form is looked for; the second does what all do. */
const passesBefore = 2;

interface Recorded {
  graph: DeviceGraph;
  inputs: Tensor[];
  part: Part;
  /** Parameters with the gradients that a replay makes. */
  gradients: [Tensor, Tensor][];
}

/**
 * Forward and backward of a batch as one graph of the device: the host copies a batch in and asks once. What the host decides, such as a weight that changes with the epoch, is
 * a constant in it: then it must be forgotten. Batches of another shape go their usual way.
 */
export class RecordedPass {
  private recorded: Recorded | undefined;
  private passes = 0;
  /** Whether parameters have gradients of another pass. */
  private interrupted = false;
  /** Why nothing is recorded any more. */
  obstacle: string | undefined;

  /** @param pass forward and backward, with gradients that are none before it @param parameters those that it gives gradients */
  constructor(
    private readonly device: string,
    private readonly pass: (inputs: Inputs) => Part,
    private readonly parameters: () => readonly Tensor[],
  ) {}

  /** What the batch gave, or undefined where it has to go its usual way. The tensors are those of the next batch as well. */
  run(inputs: Inputs): Part | undefined {
    if (this.obstacle !== undefined) return undefined;
    if (this.passes < passesBefore) return this.tryOut(inputs);
    const tensors = tensorsOf(inputs);
    if (this.recorded && shapesOf(this.recorded.inputs) !== shapesOf(tensors)) this.forget();
    try {
      this.recorded ??= this.record(inputs);
    } catch (error) {
      this.obstacle = messageOf(error);
      return undefined;
    }
    const { graph, part, inputs: places, gradients } = this.recorded;
    noGrad(() => {
      for (const [i, place] of places.entries()) place.copy_(tensors[i] as Tensor, true);
    });
    graph.replay();
    if (this.interrupted) for (const [parameter, gradient] of gradients) parameter.grad = gradient;
    this.interrupted = false;
    return part;
  }

  /** A pass that is not recorded; the last of them shows whether the next ones can be. */
  private tryOut(inputs: Inputs): Part {
    const before = hostTraffic.count;
    const part = this.pass(inputs);
    this.passes++;
    if (this.passes === passesBefore && hostTraffic.count > before)
      this.obstacle = 'in every step numbers go to JavaScript or come from there';
    return part;
  }

  /** Another pass than this one makes gradients now. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** Gives up what was recorded. */
  forget(): void {
    if (!this.recorded) return;
    const { graph, inputs, part, gradients } = this.recorded;
    this.recorded = undefined;
    for (const tensor of [...inputs, ...resultsOf(part), ...gradients.map(([, gradient]) => gradient)])
      tensor.dispose();
    graph.dispose();
  }

  private record(inputs: Inputs): Recorded {
    return scope(() => {
      const own = noGrad(() => mapInputs(inputs, (tensor) => tensor.clone()));
      let part: Part | undefined;
      const graph = DeviceGraph.record(this.device, () => {
        const made = this.pass(own);
        part = mapPart(made, (tensor) => keep(tensor.detach()));
      });
      const gradients = this.parameters().flatMap((parameter): [Tensor, Tensor][] => {
        const { grad } = parameter;
        return grad ? [[parameter, keep(grad)]] : [];
      });
      return { graph, inputs: tensorsOf(own).map((tensor) => keep(tensor)), part: part as Part, gradients };
    });
  }
}

const tensorsOf = ({ batch: { images, labels, indices }, teacher }: Inputs): Tensor[] => [
  images,
  labels,
  indices,
  ...(teacher ? [teacher.pooled, teacher.logits, ...(teacher.map ? [teacher.map] : []), ...teacher.stages] : []),
];

const shapesOf = (tensors: readonly Tensor[]): string => tensors.map(({ shape }) => shape.join()).join(';');

function mapInputs({ batch, teacher }: Inputs, change: (tensor: Tensor) => Tensor): Inputs {
  const { images, labels, indices, views } = batch;
  return {
    batch: { images: change(images), labels: change(labels), indices: change(indices), views },
    ...(teacher && {
      teacher: {
        pooled: change(teacher.pooled),
        logits: change(teacher.logits),
        stages: teacher.stages.map(change),
        ...(teacher.map && { map: change(teacher.map) }),
      },
    }),
  };
}

const resultsOf = ({ terms, loss, right }: Part): Tensor[] => [
  ...Object.values(terms).map(({ value }) => value),
  loss,
  ...(right ? [right] : []),
];

const mapPart = ({ terms, loss, count, right }: Part, change: (tensor: Tensor) => Tensor): Part => ({
  terms: Object.fromEntries(
    Object.entries(terms).map(([name, { weight, value }]) => [name, { weight, value: change(value) }]),
  ),
  loss: change(loss),
  count,
  ...(right && { right: change(right) }),
});
