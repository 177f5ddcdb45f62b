/** Forward and backward of a batch: student, teacher, losses. */
import type { Batch, Features, Terms } from '../flow.js';
import type { HalfWeights } from '../nn/half-weights.js';
import { fastConvolutions } from '../nn/index.js';
import type { GradScaler } from '../optim/index.js';
import { autocast, noGrad, type Tensor } from '../tensor/index.js';
import { deviceType } from './algorithms.js';
import { type Part, partsOf, rightOf, weightedSum } from './part.js';
import { type Inputs, partOfInputs } from './recorded-pass.js';
import type { Targets } from './targets.js';
import type { TrainerSetup } from './trainer.js';

/** What changes from step to step. */
export interface PassContext {
  scaler: GradScaler | undefined;
  /** Counted from 1. */
  epoch: () => number;
  /** The most images that go through at once. */
  microBatch: () => number;
  /** Copies of the weights in the precision of the run, where they are kept. */
  half: HalfWeights | undefined;
  /** A weight that is a function of the epoch: its value, or a tensor that holds it on the device. */
  weightOf: (name: string, weight: (epoch: number) => number) => number | Tensor;
}

export class Passes {
  /** Whether a method has looked at the number of the epoch. */
  epochMatters = false;

  constructor(
    private readonly setup: TrainerSetup,
    private readonly context: PassContext,
  ) {}

  /** Forward and backward of all parts of a batch. */
  of(inputs: Inputs): Part[] {
    const count = inputs.batch.labels.shape[0] as number;
    return partsOf(count, this.context.microBatch()).map(([begin, size]) =>
      this.backward(size === count ? inputs : this.part(inputs, begin, size), size / count),
    );
  }

  /** A part of a batch, with the features that a student alone would have: those that students share are the batch's. */
  private part(inputs: Inputs, begin: number, size: number): Inputs {
    const part = partOfInputs(inputs, begin, size);
    const shared = this.setup.pass?.sources.targets;
    if (!part.teacher || !shared?.recordable) return part;
    return { batch: part.batch, teacher: this.teach(shared, part.batch) };
  }

  private backward(inputs: Inputs, share = 1): Part {
    const { terms, right } = this.forward(inputs);
    const loss = this.sumOf(terms);
    const part = share === 1 ? loss : loss.mul(share);
    (this.context.scaler?.scale(part) ?? part).backward();
    return { terms, loss, count: inputs.batch.labels.shape[0] as number, ...(right && { right }) };
  }

  /** The weighted sum of terms. */
  sumOf(terms: Terms): Tensor {
    return weightedSum(terms, (name, weight) =>
      typeof weight === 'number' ? weight : this.context.weightOf(name, weight),
    );
  }

  /** A batch as it can be recorded: what reads files, or is shared, is done before. */
  inputsOf(batch: Batch): Inputs {
    const { targets } = this.setup;
    if (!targets || (targets.recordable && !targets.needsHost)) return { batch };
    return { batch, teacher: this.teach(targets, batch) };
  }

  forward({ batch, teacher: given }: Inputs): Pick<Part, 'terms' | 'right'> {
    const { student, objective, targets, options } = this.setup;
    const { images, labels, indices } = batch;
    const passes = this;
    return this.precisely(() => {
      const teacher = given ?? (targets && noGrad(() => targets.of(batch)));
      const made = student.forwardFeatures(images);
      let right: Tensor | undefined;
      const terms = objective.terms({
        student: made,
        labels,
        indices,
        labelSmoothing: options.labelSmoothing,
        counted: (logits, count) => {
          if (logits === made.logits) right = count;
        },
        get epoch() {
          passes.epochMatters = true;
          return passes.context.epoch();
        },
        ...(teacher && { teacher }),
      });
      // A student that predicts through another network learns nothing in its own classifier, and of mixed images no
      // class is the right one.
      const judged = !objective.deploy && labels.ndim === 1;
      return { terms, ...(judged && { right: right ?? rightOf(made.logits, labels) }) };
    });
  }

  /** The teacher's features, without gradient. */
  teach(targets: Targets, batch: Batch): Features {
    return this.precisely(() => noGrad(() => targets.of(batch)));
  }

  /** In the precision, and with the convolutions, that are asked for. */
  private precisely<T>(body: () => T): T {
    const { precision, convolutions, device } = this.setup.options;
    const { half } = this.context;
    const within = half ? () => half.within(body) : body;
    if (precision !== 'float32') return autocast(deviceType(device), within, { dtype: precision });
    return convolutions === 'fast' ? fastConvolutions(body) : body();
  }
}
