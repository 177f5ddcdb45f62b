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
  /** Where graphs take memory from. */
  pool: GraphPool;
  /** Whether steps are to be captured, where the device can. */
  records: boolean;
  /**
   * What captured steps of `size` images may take their batches from, the best first; none where the host has to bring
   * them.
   */
  batches: (size: number) => CapturedBatches[];
  /** Those with whom steps are done together; then `batches` are for all of them. */
  company?: CompanySteps | undefined;
  /** Counted from 1. */
  epoch: () => number;
  /** Own kernels, as far as they are to be used. */
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

/** Before a step is captured this has been done: within it, nothing is filled. */
function refresh(weight: EpochWeight, epoch: number): void {
  const value = weight.of(epoch);
  if (value !== weight.value) noGrad(() => weight.tensor.fill_(value));
  weight.value = value;
}

/** A step that changed nothing, because of NaN or Inf. */
export interface NonFinite {
  step: number;
  /** The first term, gradient or statistic. */
  what: string;
}

/**
 * The steps of a run elsewhere than on the CPU, where reading a number waits for the device: they are replays of
 * graphs, one for each size of batches, after which NaN and Inf are looked for now and then; all other steps are judged
 * at once.
 */
export class DeviceSteps implements Member {
  readonly #setup: DeviceStepsSetup;
  readonly #update: DeviceUpdate;
  /** By number of images. */
  readonly #recorded = new Map<number, RecordedPass>();
  readonly #records: boolean;
  /** In how many parts a batch goes through, by its number of images. */
  readonly #parts = new Map<number, number>();
  /** Weights that are functions of the epoch, by term: on the device, so that a captured step reads them. */
  readonly #weights = new Map<string, EpochWeight>();
  readonly #pace = new LookPace();
  /** How the next step went, where it was done in the graph of the company. */
  #replayed: { error?: unknown } | undefined;
  #draws = false;

  constructor(setup: DeviceStepsSetup) {
    this.#setup = setup;
    this.#update = new DeviceUpdate(setup);
    this.#records = setup.records && DeviceGraph.availableOn(setup.device);
    setup.company?.join(this, setup.device, setup.batches);
  }

  /** Why steps are not captured any more. */
  get obstacle(): string | undefined {
    for (const { obstacle } of this.#recorded.values()) if (obstacle !== undefined) return obstacle;
    return undefined;
  }

  /** How many steps were done of which nothing is known yet. */
  get unseen(): number {
    return this.#update.unseen;
  }

  /** Whether it is time to {@link look}. */
  get lookIsDue(): boolean {
    return this.#update.full || this.#pace.isDue;
  }

  /**
   * Does a step with the `size` images from `position` of the epoch on; passes that it returns {@link judge} has to
   * end. Undefined where it has to go its usual way.
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
    // It is captured with the others as soon as these are ready, too.
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
   * Updates by what passes gave, and waits; where it was not sound nothing is changed but statistics, and what it was
   * is returned. `size`: of the batch, where the passes are {@link run}'s.
   */
  judge(parts: readonly Part[], size?: number): string | undefined {
    this.prepare();
    const bad = this.#update.now(parts);
    if (size !== undefined && bad === undefined) this.#recorded.get(size)?.sound();
    return bad;
  }

  /** The weight of a term in this epoch, float32 []. */
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

  /** Brings what the host decides to the device. */
  prepare(): void {
    this.#update.prepare();
    const epoch = this.#setup.epoch();
    for (const weight of this.#weights.values()) refresh(weight, epoch);
  }

  /**
   * Which steps since the last look had NaN or Inf. `step`: those that were done. Waits for the device; `mayLag`: for
   * the steps up to the look before alone, where these take little time.
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

  /** In a company, says that the step at `place` is next; whether to wait until all others have said so. */
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

  /** Gives up what was captured: the host has decided something in it that changes now. */
  forget(): void {
    this.forgetOwn();
    this.#setup.company?.forget();
  }

  /** The same, where batches go through in other parts from now on. */
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
