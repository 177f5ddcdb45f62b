/** Everything that a training run changes, and the step that changes it. It knows no method: an objective gives named terms. */
import type { Dataset } from '../data/dataset.js';
import { Loader, type LoaderOptions } from '../data/loader.js';
import type { Objective } from '../distill/method.js';
import type { Batch, Terms } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { fastConvolutions, type Module } from '../nn/index.js';
import { clipGradNorm_, EMA, GradScaler, getTotalNorm, type LRScheduler } from '../optim/index.js';
import { autocast, noGrad, type Tensor } from '../tensor/index.js';
import { BufferGuard } from './buffer-guard.js';
import { deviceType } from './device.js';
import { outOfMemory } from './guards.js';
import { TermMeter } from './meter.js';
import { type AnyOptimizer, createOptimizer, createSchedule } from './optimizer.js';
import type { EffectiveTrainOptions } from './options.js';
import type { BatchSource, SharedPass } from './shared-pass.js';
import type { Targets } from './targets.js';

export interface TrainerSetup {
  student: Classifier;
  objective: Objective;
  /** h_T, z_T and maps of a batch; absent for methods without a teacher. */
  targets?: Targets;
  /** Gives batches to several trainers; otherwise there is a loader of its own. */
  pass?: SharedPass;
  data: Dataset;
  options: EffectiveTrainOptions;
}

/** What a part of a batch gave. */
interface Part {
  terms: Terms;
  loss: Tensor;
  count: number;
  /** How many images the student was right about; absent where that cannot be said. */
  right?: Tensor;
}

/** What a step did. */
export interface StepOutcome {
  /** The first term or gradient that was no number; weights and statistics are as before the step then. */
  nonFinite?: string;
  /** The images that go through at once from now on, where memory ran out. */
  microBatch?: number;
}

/** How training images are seen. */
export function trainingViews(options: EffectiveTrainOptions): LoaderOptions {
  const { batchSize, seed, dataSeed = seed, views, augment, augmentation, device } = options;
  return {
    batchSize,
    device,
    seed: dataSeed,
    shuffle: true,
    augment: augmentation ?? augment,
    ...(views !== undefined && { views }),
  };
}

export class Trainer {
  /** The student and what the method trains besides, by name. */
  readonly modules: Record<string, Module>;
  readonly loader: BatchSource;
  readonly optimizer: AnyOptimizer;
  readonly schedule: LRScheduler;
  readonly meter: TermMeter;
  readonly ema: EMA | undefined;
  readonly scaler: GradScaler | undefined;
  private readonly buffers: BufferGuard;
  /** Steps done since the beginning. */
  step = 0;
  microBatch: number;

  constructor(readonly setup: TrainerSetup) {
    const { student, objective, data, options, pass } = setup;
    const { batchSize, ema, precision, device } = options;
    this.modules = { student, ...objective.modules };
    for (const module of Object.values(this.modules)) module.to({ device, memoryFormat: 'channelsLast' });
    const open = () => new Loader(data, 'train', trainingViews(options));
    this.loader = pass ? pass.batches(open) : open();
    this.meter = new TermMeter(device);
    this.optimizer = createOptimizer(Object.values(this.modules), options);
    this.schedule = createSchedule(this.optimizer, options);
    this.ema = ema === undefined ? undefined : new EMA(student, { decay: ema, warmUp: true });
    this.scaler = precision === 'float16' ? new GradScaler({ device }) : undefined;
    this.buffers = new BufferGuard(Object.values(this.modules));
    this.microBatch = Math.min(options.microBatch ?? batchSize, batchSize);
  }

  get stepsPerEpoch(): number {
    return this.loader.steps;
  }

  /** Counted from 0. */
  get epoch(): number {
    return Math.floor(this.step / this.stepsPerEpoch);
  }

  /** Goes to the epoch of the next step. */
  beginEpoch(): void {
    for (const module of Object.values(this.modules)) module.train();
    this.loader.begin(this.epoch);
  }

  /** Forward, loss, backward, update. The batch must be ready; call it inside a scope. */
  runStep(): StepOutcome {
    const batch = this.loader.batch(this.step % this.stepsPerEpoch);
    let shrunk: number | undefined;
    this.buffers.remember();
    for (;;) {
      try {
        const nonFinite = this.attempt(batch);
        if (nonFinite !== undefined) this.buffers.restore();
        this.step++;
        return { ...(nonFinite !== undefined && { nonFinite }), ...(shrunk !== undefined && { microBatch: shrunk }) };
      } catch (error) {
        if (!outOfMemory(error) || this.microBatch === 1) throw error;
        this.buffers.restore();
        this.microBatch = Math.ceil(this.microBatch / 2);
        shrunk = this.microBatch;
      }
    }
  }

  /** Forward and backward of the first batch without an update; the terms, unweighted. Changes statistics and draws numbers. */
  rehearse(): Record<string, number> {
    const batch = this.loader.batch(this.step % this.stepsPerEpoch);
    const size = Math.min(this.microBatch, batch.labels.shape[0] as number);
    const { terms } = this.forward(partOf(batch, 0, size));
    weightedSum(terms).backward();
    this.optimizer.zeroGrad();
    return Object.fromEntries(Object.entries(terms).map(([name, { value }]) => [name, Number(value.item())]));
  }

  /** One try; the name of what was no number, if anything. */
  private attempt(batch: Batch): string | undefined {
    const count = batch.labels.shape[0] as number;
    const parts: Part[] = [];
    this.optimizer.zeroGrad();
    for (let begin = 0; begin < count; begin += this.microBatch) {
      const size = Math.min(this.microBatch, count - begin);
      const part = size === count ? batch : partOf(batch, begin, size);
      const { terms, right } = this.forward(part);
      const loss = weightedSum(terms);
      const share = size === count ? loss : loss.mul(size / count);
      (this.scaler?.scale(share) ?? share).backward();
      parts.push({ terms, loss, count: size, ...(right && { right }) });
    }
    const bad = this.update(parts);
    for (const part of bad === undefined ? parts : []) this.meter.add(part.terms, part.loss, part.count, part.right);
    return bad;
  }

  private forward(batch: Batch): Pick<Part, 'terms' | 'right'> {
    const { student, objective, targets, options } = this.setup;
    const { images, labels, indices } = batch;
    const { precision, labelSmoothing, convolutions, device } = options;
    const body = () => {
      const teacher = targets && noGrad(() => targets.of(batch));
      const made = student.forwardFeatures(images);
      const terms = objective.terms({
        student: made,
        labels,
        indices,
        labelSmoothing,
        epoch: this.epoch + 1,
        ...(teacher && { teacher }),
      });
      // A student that predicts through another network learns nothing in its own classifier, and of mixed images no class is the right one.
      const judged = !objective.deploy && labels.ndim === 1;
      return { terms, ...(judged && { right: rightOf(made.logits, labels) }) };
    };
    if (precision !== 'float32') return autocast(deviceType(device), body, { dtype: precision });
    return convolutions === 'fast' ? fastConvolutions(body) : body();
  }

  private update(parts: readonly Part[]): string | undefined {
    const bad = nonFiniteTerm(parts);
    if (bad !== undefined) return bad;
    const { clipNorm } = this.setup.options;
    if (this.scaler) this.scaler.unscale_(this.optimizer);
    const params = this.optimizer.paramGroups.flatMap((group) => group.params);
    // The norm is a number exactly where all gradients are.
    const norm = Number((clipNorm === undefined ? getTotalNorm(params) : clipGradNorm_(params, clipNorm)).item());
    if (this.scaler) {
      // An overflow in float16 is no accident: the scaler skips the step and lowers its scale.
      this.scaler.step(this.optimizer);
      this.scaler.update();
    } else {
      if (!Number.isFinite(norm)) return 'a gradient';
      this.optimizer.step();
    }
    this.ema?.update();
    return undefined;
  }

  /** Goes on to the next learning rate, after the last step of an epoch. */
  endEpoch(): void {
    this.schedule.step();
  }

  /** The network that is evaluated and exported. */
  deployed(): Classifier {
    const { student, objective } = this.setup;
    return objective.deploy?.(student) ?? student;
  }

  /** Runs `body` with the averaged weights in the student's place. */
  async *withAverages<Event, T>(body: () => AsyncGenerator<Event, T>): AsyncGenerator<Event, T> {
    const { ema } = this;
    if (!ema) return yield* body();
    const { student } = this.setup;
    const own = new EMA(student, { decay: 0 });
    ema.copyTo(student);
    try {
      return yield* body();
    } finally {
      own.copyTo(student);
      own.dispose();
    }
  }

  dispose(): void {
    for (const holder of [this.loader, this.optimizer, this.meter, this.ema, this.scaler, this.buffers])
      holder?.dispose();
  }
}

const partOf = ({ images, labels, indices, views }: Batch, begin: number, size: number): Batch => ({
  images: images.narrow(0, begin, size),
  labels: labels.narrow(0, begin, size),
  indices: indices.narrow(0, begin, size),
  views: { ...views, images: views.images.slice(begin, begin + size) },
});

const rightOf = (logits: Tensor, labels: Tensor): Tensor => noGrad(() => logits.argmax(1).eq(labels).sum());

/** A term of weight 0 is recorded, but takes no part in the graph. */
function weightedSum(terms: Terms): Tensor {
  const parts = Object.values(terms)
    .filter(({ weight }) => weight !== 0)
    .map(({ weight, value }) => (weight === 1 ? value : value.mul(weight)));
  return parts.reduce((sum, part) => sum.add(part));
}

function nonFiniteTerm(parts: readonly Part[]): string | undefined {
  if (parts.every(({ loss }) => Number.isFinite(Number(loss.item())))) return undefined;
  for (const { terms } of parts) {
    for (const [name, { value }] of Object.entries(terms))
      if (!Number.isFinite(Number(value.item()))) return `the term ${name}`;
  }
  return 'the weighted sum';
}
