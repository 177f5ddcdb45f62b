/**
 * Everything that a training run changes, and the step that changes it. It knows no method: an objective gives named
 * terms.
 */
import type { Dataset } from '../data/dataset.js';
import { Loader, type LoaderOptions } from '../data/loader.js';
import { type PartShare, partShares } from '../data/ranks.js';
import type { Objective } from '../distill/method.js';
import { broadcastNow } from '../distributed/immediate.js';
import { Reducer } from '../distributed/reducer.js';
import { broadcastState } from '../distributed/state.js';
import { ConfigError, messageOf, OutOfMemoryError } from '../errors.js';
import type { Batch } from '../flow.js';
import type { Classifier } from '../models/index.js';
import { HalfWeights } from '../nn/half-weights.js';
import type { Module } from '../nn/index.js';
import { EMA, GradScaler, type LRScheduler } from '../optim/index.js';
import { GraphPool } from '../tensor/index.js';
import { BufferGuard } from './buffer-guard.js';
import { BatchesAhead, OwnBatches } from './captured-batches.js';
import type { Place } from './company-steps.js';
import { DeviceSteps, type NonFinite } from './device-steps.js';
import { outOfMemory } from './guards.js';
import { HostUpdate } from './host-update.js';
import { RunKernels } from './kernels.js';
import { TermMeter } from './meter.js';
import { type AnyOptimizer, createOptimizer, createSchedule } from './optimizer.js';
import type { EffectiveTrainOptions } from './options.js';
import { type Part, partOf } from './part.js';
import { Passes } from './passes.js';
import { Ranks } from './ranks.js';
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

/** What a step did. */
export interface StepOutcome {
  /** Steps with NaN or Inf that this one found; weights and statistics are as if they had not been. */
  nonFinite?: NonFinite[];
  /** The images that go through at once from now on, where memory ran out. */
  microBatch?: number;
  /** Why steps are not recorded from now on. */
  unrecorded?: string;
  /** What else is to be told: why own kernels are not used, each reason once; what was damaged in the cache. */
  notices?: string[];
}

/** How training images are seen. */
export function trainingViews(options: EffectiveTrainOptions): LoaderOptions {
  const { batchSize, seed, dataSeed = seed, views, augment, augmentation, device } = options;
  return {
    batchSize,
    smallestBatch: Math.min(2, batchSize),
    device,
    seed: dataSeed,
    shuffle: true,
    augment: augmentation ?? augment,
    ...(views !== undefined && { views }),
  };
}

/** Milliseconds for which, before the host waits for the device, it draws what comes in the next epoch. */
const drawingTime = 20;

const smallerParts = 'Several processes do not lower --micro-batch automatically: pass a smaller one.';

const singleImage = (buffer: string): string =>
  `This network cannot be trained on one image at a time: batch normalization has no variance over a single value (${buffer} becomes NaN). Use --batch-size and --micro-batch of 2 or more, and at least two training images.`;

export class Trainer {
  /** The student and what the method also trains, by name. */
  readonly modules: Record<string, Module>;
  readonly loader: BatchSource;
  readonly optimizer: AnyOptimizer;
  readonly schedule: LRScheduler;
  readonly meter: TermMeter;
  readonly ema: EMA | undefined;
  readonly scaler: GradScaler | undefined;
  private readonly buffers: BufferGuard;
  private readonly host: HostUpdate;
  /** Elsewhere than on the CPU, where reading a number waits for nothing. */
  private readonly device: DeviceSteps | undefined;
  private readonly passes: Passes;
  private readonly kernels: RunKernels;
  /** On a device: in half precision, autocast finds the weights cast already. */
  private readonly half: HalfWeights | undefined;
  /** What graphs of this run have in common. */
  readonly graphs = new GraphPool();
  /** The processes that train together; undefined where this is the only one. */
  readonly ranks: Ranks | undefined;
  private reducer: Reducer | undefined;
  /** Whether the statistics before this try are remembered. */
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
    for (const [name, module] of Object.entries(this.modules)) if (this.ranks) broadcastState(name, module.stateDict());
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
      ...{ scaler, half: this.half },
      epoch: () => this.epoch + 1,
      ranks,
      reducer: () => this.reducer,
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

  /** Goes to the epoch of the next step. */
  beginEpoch(): void {
    for (const module of Object.values(this.modules)) module.train();
    this.half?.update();
    this.loader.begin(this.epoch);
    this.beginTargets();
    if (this.passes.epochMatters) this.device?.forget();
  }

  /** With several students on a device, says that the next step is ready; whether to wait until all others are. */
  arrive(): boolean {
    return this.device?.arrive(this.place) ?? false;
  }

  private get place(): Place {
    const step = this.step % this.stepsPerEpoch;
    return { position: this.loader.beginOf(step), size: this.loader.sizeOf(step) };
  }

  /** What was captured with targets that came from elsewhere is given up. */
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
        // One image alone has no variance for batch normalization, so that two are the fewest that are tried.
        if (!outOfMemory(error) || this.microBatch <= 2) throw error;
        // The others would wait for ever: all of them must have as many parts.
        if (this.ranks) throw new OutOfMemoryError(`${messageOf(error)} ${smallerParts}`, { cause: error });
        if (this.remembered) this.buffers.restore();
        this.shrink();
      }
    }
  }

  /**
   * Forward and backward of the first batch without an update; the terms, unweighted. Changes statistics and draws
   * numbers.
   */
  rehearse(): Record<string, number> {
    const step = this.step % this.stepsPerEpoch;
    const batch = this.loader.batch(step);
    const [share] = this.sharesOf(step) as [PartShare];
    const { size, total } = share;
    const { terms } = this.passes.forward({ batch: partOf(batch, 0, size) }, share);
    this.passes.sumOf(terms).backward();
    if (this.ranks) this.openReducer();
    this.optimizer.zeroGrad();
    const bad = total === 1 ? this.buffers.nonFinite() : undefined;
    if (bad !== undefined) throw new ConfigError(singleImage(bad));
    const weight = this.ranks?.weightOf(share, this.setup.objective) ?? 1;
    const values = Object.values(terms).map(({ value }) => Number(value.item()) * weight);
    const joint = this.ranks?.sums(values) ?? values;
    return Object.fromEntries(Object.keys(terms).map((name, i) => [name, joint[i] as number]));
  }

  /** This process's share of each part of a batch. */
  private sharesOf(step: number): PartShare[] {
    const count = this.loader.wholeSizeOf(step);
    return this.ranks?.shares(count, this.microBatch) ?? partShares(count, { part: this.microBatch }, {});
  }

  /** What sends gradients; on a device, which may not be asked in a step, those that the first backward has given. */
  private openReducer(): void {
    const onHost = this.setup.options.device === 'cpu';
    const params = this.optimizer.paramGroups.flatMap((group) => group.params);
    const trained = params.filter(({ requiresGrad, grad }) => requiresGrad && (onHost || grad));
    this.reducer?.dispose();
    this.reducer = new Reducer(trained, { findUnusedParameters: onHost });
  }

  /** Flags that hold on any of the processes. */
  agreed(flags: readonly boolean[]): readonly boolean[] {
    return this.ranks?.any(flags) ?? flags;
  }

  /** Gives all processes the statistics of the first one, where each has its own. */
  private settleBuffers(): void {
    if (!this.ranks || this.setup.options.syncBatchNorm) return;
    const modules = Object.values(this.modules);
    broadcastNow(modules.flatMap((module) => [...module.namedBuffers()].map(([, buffer]) => buffer)));
  }

  /** Sums of the epoch so far, of all processes, for a checkpoint. Every process must ask. */
  settled(): ReturnType<TermMeter['state']> {
    this.settleBuffers();
    return this.meter.jointState();
  }

  /** How long gradients were on their way since the last time; undefined for one process. */
  takeTimes(): ReturnType<Reducer['takeTimes']> | undefined {
    return this.reducer?.takeTimes();
  }

  /** Lets fewer images go through at once. */
  private shrink(): void {
    this.microBatch = Math.ceil(this.microBatch / 2);
    this.device?.restart();
  }

  /** One try. Of steps that are replayed, which had NaN or Inf comes out at a later one. */
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
    // What was replayed before comes first: where it stops the run, this step is not done.
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
   * Finds out which of the steps that were replayed since the last look had NaN or Inf; waits for the device, except,
   * where it `mayLag`, for the newest steps.
   */
  look(mayLag = false): NonFinite[] {
    if (this.seen < this.step) this.loader.drawAhead?.(drawingTime);
    return this.device?.look(this.step, mayLag) ?? [];
  }

  /** Steps of which it is known whether they were sound: on a device, the last ones come out at a later look. */
  get seen(): number {
    return this.step - (this.device?.unseen ?? 0);
  }

  private deviceSteps(): DeviceSteps {
    const { optimizer, buffers, meter, ema, scaler } = this;
    const { pass, options } = this.setup;
    const { device, clipNorm, onNonFinite, batchSize, recordSteps: records } = options;
    const { loader, targets } = pass?.sources ?? { loader: this.loader, targets: this.setup.targets };
    const teach = targets && ((batch: Batch) => this.passes.teach(targets, batch));
    // Of a batch in parts, and of the last one of an epoch, the teacher's features are made in the step itself.
    const own = this.ranks ? batchSize / this.ranks.size : batchSize;
    const isAhead = (size: number) => size === own && (pass !== undefined || size <= this.microBatch);
    const batches = (size: number) => {
      // Targets that are read from files are made before the step.
      const made = records && (!targets || targets.recordable) ? loader.onDevice?.() : undefined;
      if (!made) return [];
      const ahead = teach && isAhead(size) ? [new BatchesAhead(made, size, teach)] : [];
      return [...ahead, new OwnBatches(made, size, pass && teach)];
    };
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

  /** Passes that are not to be captured. */
  private stepByStep(batch: () => Batch): Part[] {
    // What was captured in vain remembered nothing.
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

  /** Moves to the next learning rate, after the last step of an epoch. */
  endEpoch(): void {
    this.settleBuffers();
    this.schedule.step();
  }

  /** The network that is evaluated and exported. */
  deployed(): Classifier {
    const { student, objective } = this.setup;
    return objective.deploy?.(student) ?? student;
  }

  dispose(): void {
    const { loader, optimizer, meter, ema, scaler, buffers, device, half, reducer } = this;
    for (const holder of [loader, optimizer, meter, ema, scaler, buffers, device, half, reducer]) holder?.dispose();
  }
}
