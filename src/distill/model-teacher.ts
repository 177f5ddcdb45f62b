import { createHash } from 'node:crypto';
import { messageOf, TeacherError } from '../errors.js';
import type { Features } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { Linear } from '../nn/index.js';
import { FrozenGraph, keep, noGrad, scope, type Tensor } from '../tensor/index.js';
import { exactly, fasterGraph, mayStandIn, type Precision } from './fast-form.js';
import { type FastForm, TeacherBase } from './teacher-base.js';

/** A teacher from the model zoo, or your own network: it also returns its stage maps. */
export class ModelTeacher extends TeacherBase {
  private constructor(
    source: string,
    readonly model: Classifier,
    name: string,
    { weight, bias }: Linear,
  ) {
    // Detached tensors on the same memory, so that the teacher does not depend on the module's tensor objects.
    super(source, name, keep(weight.detach()), bias && keep(bias.detach()));
  }

  /** Freezes a network. Throws TeacherError if no linear layer has an output for each class. */
  static of(model: Classifier, source: string): ModelTeacher {
    // Images have this layout, and convolutions are fastest in it.
    model.eval().requiresGrad_(false).to({ memoryFormat: 'channelsLast' });
    const linear = [...model.namedModules()].filter(
      (entry): entry is [string, Linear] => entry[1] instanceof Linear && entry[1].outFeatures === model.numClasses,
    );
    const [name, classifier] = linear.at(-1) ?? [];
    if (name === undefined || !classifier) {
      throw new TeacherError(
        `${source} has no linear layer with ${model.numClasses} outputs: SRRL needs a linear classifier at the end of the teacher.`,
      );
    }
    return new ModelTeacher(source, model, name, classifier);
  }

  override forward(images: Tensor): Features {
    try {
      return noGrad(() => this.model.forwardFeatures(images));
    } catch (error) {
      throw new TeacherError(
        `The teacher ${this.source} does not take images [${images.shape.join(', ')}]: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /** Returns the model as one graph, with normalizations folded into convolutions. */
  accelerated(images: Tensor, precision: Precision = 'float32'): FastForm | undefined {
    return scope(() => {
      // A second number of images detects a batch size that became constant in the trace.
      const [all, some] = [images, images.narrow(0, 0, (images.shape[0] as number) - 1)];
      const trace = () => FrozenGraph.trace(all, (batch) => toList(this.model.forwardFeatures(batch)));
      const graph = fasterGraph(trace, this.device, precision);
      const hasMap = this.forward(some).map !== undefined;
      const isRight = (batch: Tensor) =>
        mayStandIn(
          () => tryRun(graph, batch),
          () => toList(this.forward(batch)),
          this.device,
          precision,
        );
      if ([all, some].every(isRight)) {
        return {
          forward: (batch: Tensor) => fromList(exactly(this.device, () => graph.run(batch)) as Tensor[], hasMap),
          dispose: () => graph.dispose(),
        };
      }
      graph.dispose();
      return undefined;
    });
  }

  fingerprint(): string {
    const hash = createHash('sha256').update(this.model.constructor.name);
    scope(() => {
      for (const [name, tensor] of Object.entries(this.model.stateDict()).sort(([a], [b]) => (a < b ? -1 : 1))) {
        const values = tensor.contiguous().toTypedArray();
        hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      }
    });
    return hash.digest('hex');
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }
}

const toList = ({ pooled, logits, map, stages }: Features): Tensor[] => [
  pooled,
  logits,
  ...(map ? [map] : []),
  ...stages,
];

function fromList([pooled, logits, ...maps]: Tensor[], hasMap: boolean): Features {
  const [map, stages] = hasMap ? [maps[0], maps.slice(1)] : [undefined, maps];
  return { pooled: pooled as Tensor, logits: logits as Tensor, stages, ...(map && { map }) };
}

function tryRun(graph: FrozenGraph, images: Tensor): (Tensor | null)[] {
  try {
    return graph.run(images);
  } catch {
    return [];
  }
}
