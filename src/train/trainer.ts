/**
 * The state of a training run, and the step that changes it. It is independent of the method: an objective returns
 * named terms.
 */
import type { Dataset } from '../data/dataset.js';
import { Loader } from '../data/loader.js';
import { type PartShare, partShares } from '../data/ranks.js';
import type { Objective } from '../distill/method.js';
import type { ReducerTimes } from '../distributed/reducer.js';
import { messageOf, OutOfMemoryError } from '../errors.js';
import type { Batch } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { HalfWeights } from '../nn/half-weights.js';
import type { Module } from '../nn/index.js';
import { EMA, GradScaler, type LRScheduler } from '../optim/index.js';
import { GraphPool } from '../tensor/index.js';
import { BufferGuard } from './buffer-guard.js';
import { capturedBatches } from './captured-batches.js';
import type { Place } from './company-steps.js';
import { DeviceSteps, type NonFinite } from './device-steps.js';
import { outOfMemory } from './guards.js';
import { HostUpdate } from './host-update.js';
import { JointSteps } from './joint-steps.js';
import { RunKernels } from './kernels.js';
import { TermMeter } from './meter.js';
import { type AnyOptimizer, createOptimizer, createSchedule } from './optimizer.js';
import type { EffectiveTrainOptions } from './options.js';
import type { Part } from './part.js';
import { Passes } from './passes.js';
import { Ranks } from './ranks.js';
import { rehearse } from './rehearsal.js';
import type { BatchSource, SharedPass } from './shared-pass.js';
import type { Targets } from './targets.js';
import { trainingViews } from './training-views.js';

export interface TrainerSetup {
  student: Classifier;
  objective: Objective;
  /** h_T, z_T and maps of a batch; absent for methods without a teacher. */
  targets?: Targets;
  /** Provides batches to several trainers; without it, the trainer has its own loader. */
  pass?: SharedPass;
  data: Dataset;
  options: EffectiveTrainOptions;
}

/** The outcome of a step. */
export interface StepOutcome {
  /** Steps with NaN or Inf that were found in this step; they changed neither weights nor statistics. */
  nonFinite?: NonFinite[];
  /** The smaller micro-batch from now on, if memory ran out. */
  microBatch?: number;
  /** Why steps are no longer captured. */
  unrecorded?: string;
  /** Further notices: why the package's own kernels are not used (each reason once), damage in the cache. */
  notices?: string[];
}

/** Milliseconds for which the host prepares the next epoch's views before it waits for the device. */
const drawingTime = 20;

const smallerParts = 'Several processes do not lower --micro-batch automatically: pass a smaller one.';

export class Trainer {
  /** The student and the method's trainable modules, by name. */
  readonly modules: Record<string, Module>;
  readonly loader: BatchSource;
  readonly optimizer: AnyOptimizer;
  readonly schedule: LRScheduler;
  readonly meter: TermMeter;
  readonly ema: EMA | undefined;
  readonly scaler: GradScaler | undefined;
  private readonly buffers: BufferGuard;
  private readonly host: HostUpdate;
  /** Undefined on the CPU, where reading a number does not wait. */
  private readonly device: DeviceSteps | undefined;
  private readonly passes: Passes;
  private readonly kernels: RunKernels;
  /** Cast weights for autocast, in half precision on a device. */
  private readonly half: HalfWeights | undefined;
  /** The memory pool of this run's graphs. */
  readonly graphs = new GraphPool();
  /** The processes that train together; undefined for a single process. */
  readonly ranks: Ranks | undefined;
  private readonly joint: JointSteps | undefined;
  /** Whether the statistics before this attempt are remembered. */
  private remembered = false;
  /** Steps done since the beginning. */
  step = 0;
  microBatch: number;

  constructor(readonly setup: TrainerSetup) {
    const { student, objective, data, options, pass } = setup;
    const { batchSize, ema, precision, device } = options;
    this.modules = { student, ...objective.modules };
    for (const module of Object.values(this.modules)) module.to({ device, memoryFormat: 'channelsLast' });
    this.ranks = Ranks.current();
    if (this.ranks) this.joint = new JointSteps(this.modules, options);
    const open = () => new Loader(data, 'train', { ...trainingViews(options), ...this.ranks?.loading(options) });
    this.kernels = new RunKernels(options);
    if (device !== 'cpu' && precision !== 'float32') this.half = new HalfWeights(precision);
    this.loader = pass ? pass.batches(open) : open();
    this.meter = new TermMeter(device, this.ranks && ((values) => (this.ranks as Ranks).sums(values)));
    this.optimizer = createOptimizer(Object.values(this.modules), options);
    this.schedule = createSchedule(this.optimizer, options);
    this.ema = ema === undefined ? undefined : new EMA(student, { decay: ema, warmUp: true });
    this.scaler = precision === 'float16' ? new GradScaler({ device }) : undefined;
    this.buffers = new BufferGuard(this.modules);
    const { optimizer, buffers, meter, ema: averages, scaler } = this;
    const { ranks } = this;
    this.host = new HostUpdate({ optimizer, buffers, meter, ema: averages, scaler, ranks, clipNorm: options.clipNorm });
    this.passes = new Passes(setup, {
      ...{ scaler, buffers, half: this.half },
      epoch: () => this.epoch + 1,
      ranks,
      reducer: () => this.joint?.reducer,
      shares: () => this.sharesOf(this.step % this.stepsPerEpoch),
      weightOf: (name, weight) => this.device?.weight(name, weight) ?? weight(this.epoch + 1),
    });
    if (device !== 'cpu') this.device = this.deviceSteps();
    this.microBatch = Math.min(options.microBatch ?? batchSize, batchSize);
  }

  get stepsPerEpoch(): number {
    return this.loader.steps;
  }

  /** Counted from 0. */
  get epoch(): number {
    return Math.floor(this.step / this.stepsPerEpoch);
  }

  /** Starts the epoch of the next step. */
  beginEpoch(): void {
    for (const module of Object.values(this.modules)) module.train();
    this.half?.update();
    this.loader.begin(this.epoch);
    this.beginTargets();
    if (this.passes.epochMatters) this.device?.forget();
  }

  /** Announces the next step. Returns whether to wait for other students, which share a device graph. */
  arrive(): boolean {
    return this.device?.arrive(this.place) ?? false;
  }

  private get place(): Place {
    const step = this.step % this.stepsPerEpoch;
    return { position: this.loader.beginOf(step), size: this.loader.sizeOf(step) };
  }

  /** Begins the epoch of the targets. If their source changes, frees the captured graphs. */
  private beginTargets(): void {
    const { targets } = this.setup;
    const before = targets?.recordable;
    targets?.begin?.();
    if (targets?.recordable !== before) this.device?.restart();
  }

  /** Forward, loss, backward, update. The batch must be ready; call it inside a scope. */
  runStep(): StepOutcome {
    const { microBatch } = this;
    const obstacle = this.device?.obstacle;
    for (;;) {
      try {
        const nonFinite = this.kernels.within(() => this.attempt());
        const notices = [...this.kernels.news(), ...(this.setup.targets?.news?.() ?? [])];
        const unrecorded = this.device?.obstacle;
        return {
          ...(nonFinite.length > 0 && { nonFinite }),
          ...(this.microBatch !== microBatch && { microBatch: this.microBatch }),
          ...(notices.length > 0 && { notices }),
          ...(unrecorded !== undefined && unrecorded !== obstacle && { unrecorded }),
        };
      } catch (error) {
        // A single image has no variance for batch normalization, so two are the minimum.
        if (!outOfMemory(error) || this.microBatch <= 2) throw error;
        // All processes must have the same number of parts; otherwise the others would wait forever.
        if (this.ranks) throw new OutOfMemoryError(`${messageOf(error)} ${smallerParts}`, { cause: error });
        if (this.remembered) this.buffers.restore();
        this.shrink();
      }
    }
  }

  /** Returns the terms of the current batch ({@link rehearse}), and decides the dtype of the images. */
  rehearse(): Record<string, number> {
    const step = this.step % this.stepsPerEpoch;
    const [share] = this.sharesOf(step) as [PartShare];
    const { passes, optimizer, buffers, ranks, joint } = this;
    const { objective, targets, pass } = this.setup;
    // Features that a cache will hold come from images in float32.
    const isLive = targets?.recordable ?? true;
    const round = this.half?.dtype === 'bfloat16' && !pass && isLive ? 'bfloat16' : undefined;
    const setup = { passes, optimizer, buffers, ranks, joint, objective, round } as const;
    const { terms, rounds } = rehearse(this.loader.batch(step), share, setup);
    if (round && rounds) this.loader.roundImages?.(round);
    return terms;
  }

  /** Returns this process's share of each part of a batch. */
  private sharesOf(step: number): PartShare[] {
    const count = this.loader.wholeSizeOf(step);
    return this.ranks?.shares(count, this.microBatch) ?? partShares(count, { part: this.microBatch }, {});
  }

  /** Returns for each flag whether it is true in any process. */
  agreed(flags: readonly boolean[]): readonly boolean[] {
    return this.ranks?.any(flags) ?? flags;
  }

  /** Returns the epoch's sums so far over all processes, for a checkpoint. Every process must call it. */
  settled(): ReturnType<TermMeter['state']> {
    this.joint?.settleBuffers();
    return this.meter.jointState();
  }

  /** Returns the times of sending gradients since the last call; undefined for one process. */
  takeTimes(): ReducerTimes | undefined {
    return this.joint?.takeTimes();
  }

  /** Halves the micro-batch. */
  private shrink(): void {
    this.microBatch = Math.ceil(this.microBatch / 2);
    this.device?.restart();
  }

  /** Attempts one step. Returns steps with NaN or Inf; replayed steps are reported at a later look. */
  private attempt(): NonFinite[] {
    const { onNonFinite } = this.setup.options;
    const { place } = this;
    const batch = () => this.loader.batch(this.step % this.stepsPerEpoch);
    this.remembered = false;
    const outcome = this.device?.run(place, () => this.passes.inputsOf(batch()));
    if (outcome === 'no memory') {
      if (this.microBatch <= 2 || this.ranks)
        throw new OutOfMemoryError('There is no memory to capture a step with two images.');
      this.shrink();
      return this.attempt();
    }
    if (outcome === 'done') {
      this.step++;
      this.ranks?.reached(this.step);
      return this.device?.lookIsDue ? this.look(true) : [];
    }
    // Earlier replays are checked first: if they stop the run, this step is not done.
    const earlier = this.look();
    if (earlier.length > 0 && onNonFinite === 'stop') {
      if (outcome) this.buffers.restore();
      return earlier;
    }
    const parts = outcome ?? this.stepByStep(batch);
    const what = this.device ? this.device.judge(parts, outcome && place.size) : this.host.now(parts);
    if (what !== undefined) this.buffers.restore();
    this.step++;
    this.ranks?.reached(this.step);
    return what === undefined ? earlier : [...earlier, { step: this.step, what }];
  }

  /**
   * Returns the steps replayed since the last look that had NaN or Inf. Waits for the device; with `mayLag`, not for
   * the newest steps.
   */
  look(mayLag = false): NonFinite[] {
    if (this.seen < this.step) this.loader.drawAhead?.(drawingTime);
    return this.device?.look(this.step, mayLag) ?? [];
  }

  /** Number of steps already checked for NaN and Inf; on a device, the newest are checked at a later look. */
  get seen(): number {
    return this.step - (this.device?.unseen ?? 0);
  }

  private deviceSteps(): DeviceSteps {
    const { optimizer, buffers, meter, ema, scaler } = this;
    const { pass, options } = this.setup;
    const { device, clipNorm, onNonFinite, batchSize, recordSteps: records } = options;
    const { loader, targets } = pass?.sources ?? { loader: this.loader, targets: this.setup.targets };
    // For a batch in parts, and for a smaller last batch, the step itself computes the teacher's features.
    const own = this.ranks ? batchSize / this.ranks.size : batchSize;
    const batches = capturedBatches({
      // Targets that are read from files must be made before the step.
      source: () => (records && (!targets || targets.recordable) ? loader.onDevice?.() : undefined),
      teach: targets && ((batch) => this.passes.teach(targets, batch)),
      isAhead: (size) => size === own && (pass !== undefined || size <= this.microBatch),
      isShared: pass !== undefined,
    });
    return new DeviceSteps({
      ...{ device, optimizer, buffers, meter, ema, scaler, clipNorm, records, batches, half: this.half },
      company: pass?.steps,
      kernels: this.kernels,
      pool: this.graphs,
      stops: onNonFinite === 'stop',
      epoch: () => this.epoch + 1,
      before: () => this.begin(),
      pass: (inputs) => this.passes.of(inputs),
    });
  }

  /** Runs passes that are not captured. */
  private stepByStep(batch: () => Batch): Part[] {
    // A failed capture has not remembered the statistics.
    this.remembered = false;
    const inputs = { batch: batch() };
    this.begin();
    return this.passes.of(inputs);
  }

  private begin(): void {
    this.remembered = true;
    this.buffers.remember();
    this.optimizer.zeroGrad();
  }

  /** Sets the next learning rate, after the last step of an epoch. */
  endEpoch(): void {
    this.joint?.settleBuffers();
    this.schedule.step();
  }

  /** The network that is evaluated and exported. */
  deployed(): Classifier {
    const { student, objective } = this.setup;
    return objective.deploy?.(student) ?? student;
  }

  dispose(): void {
    const { loader, optimizer, meter, ema, scaler, buffers, device, half, joint } = this;
    for (const holder of [loader, optimizer, meter, ema, scaler, buffers, device, half, joint]) holder?.dispose();
  }
}
