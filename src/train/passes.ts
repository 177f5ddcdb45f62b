/** Forward and backward passes of a batch: student, teacher, losses. */
import type { PartShare } from '../data/ranks.js';
import type { StepValues } from '../distill/method.js';
import type { Reducer } from '../distributed/reducer.js';
import type { Batch, Features, Terms } from '../flow.js';
import { type BatchShare, withBatchShare } from '../nn/batch-share.js';
import type { HalfWeights } from '../nn/half-weights.js';
import { fastConvolutions } from '../nn/index.js';
import type { GradScaler } from '../optim/index.js';
import { autocast, noGrad, type Tensor } from '../tensor/index.js';
import { deviceType } from './algorithms.js';
import type { BufferGuard } from './buffer-guard.js';
import { type Part, rightOf, weightedSum } from './part.js';
import type { Ranks } from './ranks.js';
import { type Inputs, partOfInputs } from './recorded-pass.js';
import type { Targets } from './targets.js';
import type { TrainerSetup } from './trainer.js';
import { wholeValues } from './whole-batch.js';

/** The values that change from step to step. */
export interface PassContext {
  scaler: GradScaler | undefined;
  /** Counted from 1. */
  epoch: () => number;
  /** Returns this process's share of each part of the step's batch. */
  shares: () => PartShare[];
  /** The processes that share the batch, if there are several, and the reducer of their gradients. */
  ranks: Ranks | undefined;
  reducer: () => Reducer | undefined;
  /** The statistics that a forward pass changes. */
  buffers: BufferGuard;
  /** Copies of the weights in the precision of the run, if it keeps them. */
  half: HalfWeights | undefined;
  /** Returns a weight that depends on the epoch: as a number, or as a tensor on the device. */
  weightOf: (name: string, weight: (epoch: number) => number) => number | Tensor;
}

export class Passes {
  /** Whether a method has read the number of the epoch. */
  epochMatters = false;

  constructor(
    private readonly setup: TrainerSetup,
    private readonly context: PassContext,
  ) {}

  /** Runs forward and backward passes of all parts of a batch. */
  of(inputs: Inputs): Part[] {
    const count = inputs.batch.labels.shape[0] as number;
    const shares = this.context.shares();
    const whole = shares.reduce((sum, { total }) => sum + total, 0);
    const reducer = this.context.reducer();
    let begin = 0;
    const parts = shares.map((share, i) => {
      const { size } = share;
      const part = size === count ? inputs : this.part(inputs, begin, size);
      begin += size;
      // Gradients are sent while those of the last part are computed.
      if (i === shares.length - 1) reducer?.arm();
      return this.backward(part, share, whole);
    });
    reducer?.finish();
    return parts;
  }

  /**
   * Returns a part of a batch. Shared features are those of the whole batch, so the part's are computed again, as for
   * a student alone.
   */
  private part(inputs: Inputs, begin: number, size: number): Inputs {
    const part = partOfInputs(inputs, begin, size);
    const shared = this.setup.pass?.sources.targets;
    if (!part.teacher || !shared?.recordable) return part;
    return { batch: part.batch, teacher: this.teach(shared, part.batch) };
  }

  private backward(inputs: Inputs, share: PartShare, whole: number): Part {
    const { ranks, scaler, buffers } = this.context;
    const { terms, right } = this.forward(inputs, share);
    const loss = this.sumOf(terms);
    const ofAll = ranks?.weightOf(share, this.setup.objective) ?? 1;
    // Gradients are averaged over the ranks, but losses are means over images.
    const factor = (share.total / whole) * ofAll * (ranks?.size ?? 1);
    const part = factor === 1 ? loss : loss.mul(factor);
    withBatchShare(this.seenBy(share), () => (scaler?.scale(part) ?? part).backward());
    const compared = ranks && this.setup.objective.comparesImages && !share.everyone;
    return {
      terms,
      // With NaN or Inf in the statistics of one rank, all ranks must leave out the update.
      loss: ranks?.jointLoss(buffers.added(loss), ofAll) ?? loss,
      count: compared ? share.total : share.size,
      ...(ranks && (compared || share.everyone) && { share: 1 / ranks.size }),
      ...(right && { right }),
    };
  }

  /** Returns the share as modules need it; undefined for a single process. */
  private seenBy({ from, size, total, everyone }: PartShare): BatchShare | undefined {
    const { ranks } = this.context;
    if (!ranks) return undefined;
    if (everyone) return { begin: 0, size, total: size, synchronized: false };
    return { begin: from, size, total, synchronized: this.setup.options.syncBatchNorm };
  }

  /** Returns the weighted sum of terms. */
  sumOf(terms: Terms): Tensor {
    return weightedSum(terms, (name, weight) =>
      typeof weight === 'number' ? weight : this.context.weightOf(name, weight),
    );
  }

  /** Returns a batch that a graph can capture: targets that read files or are shared are made before. */
  inputsOf(batch: Batch): Inputs {
    const { targets } = this.setup;
    if (!targets || (targets.recordable && !targets.needsHost)) return { batch };
    return { batch, teacher: this.teach(targets, batch) };
  }

  forward({ batch, teacher: given }: Inputs, share: PartShare): Pick<Part, 'terms' | 'right'> {
    const { student, objective, targets, options } = this.setup;
    const { ranks } = this.context;
    const { images, labels, indices } = batch;
    const passes = this;
    return this.precisely(() => {
      const teacher = given ?? (targets && noGrad(() => targets.of(batch)));
      const seen = this.seenBy(share);
      const made = withBatchShare(seen, () => student.forwardFeatures(images));
      let right: Tensor | undefined;
      const own: StepValues = {
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
      };
      const compared = ranks !== undefined && objective.comparesImages === true;
      const values = compared ? wholeValues(own, share, ranks) : own;
      // If every process computes the terms of all images, nothing has to be synchronized.
      const terms = compared ? objective.terms(values) : withBatchShare(seen, () => objective.terms(values));
      // A student that is deployed as another network does not train its own classifier, and mixed images have no
      // single right class.
      const judged = !objective.deploy && labels.ndim === 1;
      return { terms, ...(judged && { right: right ?? rightOf(values.student.logits, values.labels) }) };
    });
  }

  /** Returns the teacher's features, without gradient. */
  teach(targets: Targets, batch: Batch): Features {
    return this.precisely(() => noGrad(() => targets.of(batch)));
  }

  /** Runs `body` in the precision and with the convolutions of the options. */
  private precisely<T>(body: () => T): T {
    const { precision, convolutions, device } = this.setup.options;
    const { half } = this.context;
    const within = half ? () => half.within(body) : body;
    if (precision !== 'float32') return autocast(deviceType(device), within, { dtype: precision });
    return convolutions === 'fast' ? fastConvolutions(body) : body();
  }
}
