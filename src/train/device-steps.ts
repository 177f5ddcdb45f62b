import { DeviceGraph, type GraphPool, keep, noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';
import type { CapturedBatches } from './captured-batches.js';
import type { CompanySteps, Member, Place } from './company-steps.js';
import { DeviceUpdate, type DeviceUpdateSetup } from './device-update.js';
import type { RunKernels } from './kernels.js';
import { LookPace } from './look-pace.js';
import type { Part } from './part.js';
import { drawing } from './random.js';
import { type Inputs, type Outcome, RecordedPass } from './recorded-pass.js';

export interface DeviceStepsSetup extends DeviceUpdateSetup {
  /** The memory pool of all graphs. */
  pool: GraphPool;
  /** Whether to capture steps if the device can. */
  records: boolean;
  /**
   * Returns the sources of batches for captured steps of `size` images, the best first; empty if the host must copy
   * them.
   */
  batches: (size: number) => CapturedBatches[];
  /** The students that share one graph; `batches` then serve all of them. */
  company?: CompanySteps | undefined;
  /** Counted from 1. */
  epoch: () => number;
  /** The package's own kernels, if the run uses them. */
  kernels: Pick<RunKernels, 'within'>;
  /** Clears gradients and remembers statistics. */
  before: () => void;
  /** Forward and backward. */
  pass: (inputs: Inputs) => Part[];
}

/** The weight of a term, for the host and on the device. */
interface EpochWeight {
  of: (epoch: number) => number;
  value: number;
  tensor: Tensor;
}

/** Updates a weight on the device; called before a capture, which must not contain a fill. */
function refresh(weight: EpochWeight, epoch: number): void {
  const value = weight.of(epoch);
  if (value !== weight.value) noGrad(() => weight.tensor.fill_(value));
  weight.value = value;
}

/** A step that changed nothing, because of NaN or Inf. */
export interface NonFinite {
  step: number;
  /** The first term, gradient or statistic with NaN or Inf. */
  what: string;
}

/**
 * The steps of a run on a device other than the CPU, where reading a number waits for the device: they replay graphs,
 * one for each batch size, and are checked for NaN and Inf every few steps; steps that are not captured, at once.
 */
export class DeviceSteps implements Member {
  readonly #setup: DeviceStepsSetup;
  readonly #update: DeviceUpdate;
  /** By number of images. */
  readonly #recorded = new Map<number, RecordedPass>();
  readonly #records: boolean;
  /** Number of parts (micro-batches) of a batch, by its number of images. */
  readonly #parts = new Map<number, number>();
  /** Weights that are functions of the epoch, by term; on the device, where a captured step reads them. */
  readonly #weights = new Map<string, EpochWeight>();
  readonly #pace = new LookPace();
  /** The result of the next step if the graph of the company has already done it. */
  #replayed: { error?: unknown } | undefined;
  #draws = false;

  constructor(setup: DeviceStepsSetup) {
    this.#setup = setup;
    this.#update = new DeviceUpdate(setup);
    this.#records = setup.records && DeviceGraph.availableOn(setup.device);
    setup.company?.join(this, setup.device, setup.batches);
  }

  /** Why steps are no longer captured. */
  get obstacle(): string | undefined {
    for (const { obstacle } of this.#recorded.values()) if (obstacle !== undefined) return obstacle;
    return undefined;
  }

  /** Number of steps done since the last check for NaN and Inf. */
  get unseen(): number {
    return this.#update.unseen;
  }

  /** Whether it is time to {@link look}. */
  get lookIsDue(): boolean {
    return this.#update.full || this.#pace.isDue;
  }

  /**
   * Does a step with the `size` images from `position` of the epoch on. If it returns parts, call {@link judge} with
   * them; if undefined, run the step operator by operator.
   */
  run({ position, size }: Place, inputs: () => Inputs): Outcome | undefined {
    if (!this.#records) return undefined;
    const replayed = this.#replayed;
    this.#replayed = undefined;
    if (replayed?.error) throw replayed.error;
    this.prepare();
    const result = replayed ? 'done' : this.#runAlone({ position, size }, inputs);
    if (result === 'done') {
      this.#pace.count(this.#update.unseen === 0);
      this.#update.replayed(this.#parts.get(size) as number);
    }
    return result;
  }

  #runAlone({ position, size }: Place, inputs: () => Inputs): Outcome | undefined {
    const { device, company } = this.#setup;
    const recorded = this.#recordedOf(size);
    if (!company || recorded.obstacle !== undefined) return recorded.run(position, inputs);
    // It is captured with the other students as soon as they are ready, too.
    if (recorded.ready) return company.apart ? recorded.run(position, inputs) : undefined;
    const { result, drew } = drawing(device, () => recorded.run(position, inputs));
    this.#draws ||= drew;
    return result;
  }

  #recordedOf(size: number): RecordedPass {
    const known = this.#recorded.get(size);
    if (known) return known;
    const { device, pool, before, pass, batches, company } = this.#setup;
    const recorded = new RecordedPass(device, {
      pool,
      before,
      pass,
      readsNarrow: this.#update.readsNarrow,
      after: (parts) => {
        this.#parts.set(size, parts.length);
        this.#update.later(parts);
      },
      batches: company ? [] : batches(size),
    });
    this.#recorded.set(size, recorded);
    return recorded;
  }

  /**
   * Updates from the gradients and waits for the device. With NaN or Inf it changes nothing but statistics and returns
   * where it was. `size`: images of the batch, if the parts are from {@link run}.
   */
  judge(parts: readonly Part[], size?: number): string | undefined {
    this.prepare();
    const bad = this.#update.now(parts);
    if (size !== undefined && bad === undefined) this.#recorded.get(size)?.sound();
    return bad;
  }

  /** Returns the weight of a term in this epoch, float32 []. */
  weight(name: string, of: (epoch: number) => number): Tensor {
    const known = this.#weights.get(name);
    if (known) {
      refresh(known, this.#setup.epoch());
      return known.tensor;
    }
    const value = of(this.#setup.epoch());
    const tensor = scope(() => keep(torch.full([], value, { dtype: 'float32', device: this.#setup.device })));
    this.#weights.set(name, { of, value, tensor });
    return tensor;
  }

  within<T>(body: () => T): T {
    return this.#setup.kernels.within(body);
  }

  /** Copies the values that the host decides to the device. */
  prepare(): void {
    this.#update.prepare();
    const epoch = this.#setup.epoch();
    for (const weight of this.#weights.values()) refresh(weight, epoch);
  }

  /**
   * Returns the steps since the last look that had NaN or Inf. `step`: number of steps done. Waits for the device; with
   * `mayLag`, and if steps are short, only for the steps up to the previous look.
   */
  look(step: number, mayLag = false): NonFinite[] {
    const { unseen } = this.#update;
    this.#pace.looks();
    if (mayLag && this.#pace.mayLag && !this.#update.full) {
      const seen = this.#update.read();
      if (seen !== undefined) {
        this.#pace.done(seen);
        this.#update.ask();
        return [];
      }
    }
    const found = this.#update.look().map(({ index, what }) => ({ step: step - unseen + index + 1, what }));
    this.#pace.done(unseen);
    return found;
  }

  /** Announces the step at `place` to the company. Returns whether to wait until all students have done so. */
  arrive(place: Place): boolean {
    this.#setup.company?.arrive(this, place);
    return this.#setup.company !== undefined;
  }

  get captures(): boolean {
    return this.#records && this.obstacle === undefined;
  }

  get draws(): boolean {
    return this.#draws;
  }

  readyFor(size: number): boolean {
    return this.#recordedOf(size).ready;
  }

  whole(inputs: Inputs, size: number): void {
    this.#recordedOf(size).whole(inputs);
  }

  replayed(error?: unknown): void {
    this.#replayed = { error };
  }

  forgetOwn(): void {
    for (const recorded of this.#recorded.values()) recorded.forget();
  }

  /** Frees the captured graphs: a value that the host decided in them changes now. */
  forget(): void {
    this.forgetOwn();
    this.#setup.company?.forget();
  }

  /** Starts over because batches are divided into other parts from now on. */
  restart(): void {
    this.#setup.company?.forget();
    for (const recorded of this.#recorded.values()) recorded.dispose();
    this.#recorded.clear();
  }

  dispose(): void {
    this.#setup.company?.leave(this);
    this.restart();
    this.#update.dispose();
    for (const { tensor } of this.#weights.values()) tensor.dispose();
  }
}
