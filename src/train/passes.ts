/** Forward and backward of a batch: student, teacher, losses. */
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
import { type Part, rightOf, weightedSum } from './part.js';
import type { Ranks } from './ranks.js';
import { type Inputs, partOfInputs } from './recorded-pass.js';
import type { Targets } from './targets.js';
import type { TrainerSetup } from './trainer.js';
import { wholeValues } from './whole-batch.js';

/** What changes from step to step. */
export interface PassContext {
  scaler: GradScaler | undefined;
  /** Counted from 1. */
  epoch: () => number;
  /** This process's share of the parts in which the batch of the step goes through the network. */
  shares: () => PartShare[];
  /** The processes that share it, where there are several, and what sends gradients to them. */
  ranks: Ranks | undefined;
  reducer: () => Reducer | undefined;
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
    const shares = this.context.shares();
    const whole = shares.reduce((sum, { total }) => sum + total, 0);
    const reducer = this.context.reducer();
    let begin = 0;
    const parts = shares.map((share, i) => {
      const { size } = share;
      const part = size === count ? inputs : this.part(inputs, begin, size);
      begin += size;
      // Gradients are sent while the last part's are computed.
      if (i === shares.length - 1) reducer?.arm();
      return this.backward(part, share, whole);
    });
    reducer?.finish();
    return parts;
  }

  /**
   * A part of a batch, with the features that a student alone would have: those that students share are the batch's.
   */
  private part(inputs: Inputs, begin: number, size: number): Inputs {
    const part = partOfInputs(inputs, begin, size);
    const shared = this.setup.pass?.sources.targets;
    if (!part.teacher || !shared?.recordable) return part;
    return { batch: part.batch, teacher: this.teach(shared, part.batch) };
  }

  private backward(inputs: Inputs, share: PartShare, whole: number): Part {
    const { ranks, scaler } = this.context;
    const { terms, right } = this.forward(inputs, share);
    const loss = this.sumOf(terms);
    const ofAll = ranks?.weightOf(share, this.setup.objective) ?? 1;
    // Gradients are averaged over the ranks, losses are means over images.
    const factor = (share.total / whole) * ofAll * (ranks?.size ?? 1);
    const part = factor === 1 ? loss : loss.mul(factor);
    withBatchShare(this.seenBy(share), () => (scaler?.scale(part) ?? part).backward());
    const compared = ranks && this.setup.objective.comparesImages && !share.everyone;
    return {
      terms,
      loss: ranks?.jointLoss(loss, ofAll) ?? loss,
      count: compared ? share.total : share.size,
      ...(ranks && (compared || share.everyone) && { share: 1 / ranks.size }),
      ...(right && { right }),
    };
  }

  /** What modules are told of a share. */
  private seenBy({ from, size, total, everyone }: PartShare): BatchShare | undefined {
    const { ranks } = this.context;
    if (!ranks) return undefined;
    if (everyone) return { begin: 0, size, total: size, synchronized: false };
    return { begin: from, size, total, synchronized: this.setup.options.syncBatchNorm };
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
      // What every process computes of all images has nothing to be synchronized.
      const terms = compared ? objective.terms(values) : withBatchShare(seen, () => objective.terms(values));
      // A student that predicts through another network learns nothing in its own classifier, and of mixed images no
      // class is the right one.
      const judged = !objective.deploy && labels.ndim === 1;
      return { terms, ...(judged && { right: right ?? rightOf(values.student.logits, values.labels) }) };
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
