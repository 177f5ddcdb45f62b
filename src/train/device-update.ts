import type { HalfWeights } from '../nn/half-weights.js';
import { Undo } from '../optim/undo.js';
import { callOverload, keep, noGrad, overloadOf, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type Health, whatIn } from './health.js';
import type { UpdateSetup } from './host-update.js';
import { LateNumber } from './late-number.js';
import type { Part } from './part.js';

export interface DeviceUpdateSetup extends UpdateSetup {
  device: string;
  /** Copies of the weights. */
  half: HalfWeights | undefined;
  /** Whether the steps after one with NaN or Inf change nothing either. */
  stops: boolean;
}

/** The most steps between two looks. */
const rows = 512;

/**
 * The end of a step on a device: finds NaN and Inf, clips gradients, updates weights, averages and means without the
 * host, so that it can be captured in a graph. A step with NaN or Inf changes nothing; the device logs its values, and
 * the host reads the log every few steps.
 */
export class DeviceUpdate {
  readonly #setup: DeviceUpdateSetup;
  readonly #rates: Tensor[];
  readonly #uploaded: number[];
  readonly #sound: Tensor;
  /** 1 from a step with NaN or Inf on, if the steps after it must change nothing. */
  readonly #found: Tensor;
  /** Whether any step since the last look had NaN or Inf. */
  readonly #any: Tensor;
  /** The number of the next row of the log, int64 [1]. */
  readonly #next: Tensor;
  /** By number of parts: the log of the values of steps, float64 [rows, ...], and its layout. */
  readonly #logs = new Map<number, { log: Tensor; layout: Omit<Health, 'values'> }>();
  /** Number of parts of each step since the last look. */
  #unseen: number[] = [];
  /** The factor that clips the norm of the step's gradients. */
  readonly #factor: Tensor | undefined;
  /** The share of the new weights in the averages for this step, 0 for no update; and the number of updates. */
  #average: { share: Tensor; updates: Tensor } | undefined;
  #row = 0;
  /** {@link #any} of the steps that {@link ask} asked about, and their number. */
  readonly #answer: LateNumber;
  #asked = 0;
  /** Undoes the changes of a step with NaN or Inf to the scaler. */
  readonly #scale: Undo | undefined;

  constructor(setup: DeviceUpdateSetup) {
    this.#setup = setup;
    const { device, optimizer, scaler, clipNorm } = setup;
    this.#scale = scaler && new Undo([scaler.onDevice.scale, scaler.onDevice.growthTracker]);
    const zero = (dtype: 'float32' | 'int64', shape: number[]) =>
      scope(() => keep(torch.zeros(shape, { dtype, device })));
    this.#rates = optimizer.paramGroups.map(() => zero('float32', []));
    this.#uploaded = optimizer.paramGroups.map(() => Number.NaN);
    this.#sound = zero('float32', []);
    this.#found = zero('float32', []);
    this.#any = zero('float32', []);
    this.#answer = new LateNumber(device);
    this.#next = zero('int64', [1]);
    this.#factor = clipNorm === undefined ? undefined : zero('float32', []);
  }

  /** Number of steps that {@link look} has not seen. */
  get unseen(): number {
    return this.#unseen.length;
  }

  /** Whether the log is full: a look must come before the next step. */
  get full(): boolean {
    return this.#unseen.length >= rows;
  }

  /** Whether {@link later} also accepts gradients in bfloat16 if the package's own kernels are used. */
  get readsNarrow(): boolean {
    return this.#copies !== undefined && !this.#setup.scaler;
  }

  /** bfloat16 copies of the weights that the optimizer's kernel also writes. */
  get #copies(): HalfWeights | undefined {
    const { optimizer, half } = this.#setup;
    return optimizer.endsStep && half?.dtype === 'bfloat16' ? half : undefined;
  }

  /** Copies learning rates to the device, before a step or a replay. */
  prepare(): void {
    const { optimizer, device, ema } = this.#setup;
    for (const [i, { lr }] of optimizer.paramGroups.entries()) {
      if (this.#uploaded[i] === lr) continue;
      noGrad(() => this.#rates[i]?.fill_(lr));
      this.#uploaded[i] = lr;
    }
    if (!ema) return;
    this.#average ??= scope(() => ({
      share: keep(torch.zeros([], { dtype: 'float32', device })),
      updates: keep(torch.full([], ema.updates, { dtype: 'int64', device })),
    }));
  }

  /** Updates and waits for the device. With NaN or Inf it changes nothing and returns where it was. */
  now(parts: readonly Part[]): string | undefined {
    const { values: tensor, ...layout } = this.#judge(parts);
    const { buffers, device, ema, scaler } = this.#setup;
    const values = tensor.tolist() as number[];
    // Allocated here, because it must exist before anything is captured.
    if (!this.#logs.has(parts.length)) {
      const log = scope(() => keep(torch.zeros([rows, values.length], { dtype: 'float64', device })));
      this.#logs.set(parts.length, { log, layout });
    }
    const bad = whatIn(values, layout, buffers.names);
    if (bad !== undefined) {
      scaler?.update();
      this.#scale?.restore();
      return bad;
    }
    this.#change(parts, this.#sound);
    if (ema) ema.updates++;
    return undefined;
  }

  /** Updates without waiting, to be captured. The statistics must be remembered before the step. */
  later(parts: readonly Part[]): void {
    this.#judge(parts, this.#logs.get(parts.length)?.log);
    this.#setup.buffers.restoreIf(this.#found);
    this.#change(parts, this.#found);
    this.#scale?.restoreIf(this.#found);
    // Nothing else may read gradients in bfloat16.
    if (this.readsNarrow) this.#setup.optimizer.zeroGrad();
  }

  /** Counts a replay of what {@link later} captured for this number of parts. */
  replayed(parts: number): void {
    this.#unseen.push(parts);
  }

  /** Waits for the device. Returns the steps since the last look (from 0) with NaN or Inf, and where it was. */
  look(): { index: number; what: string }[] {
    const { ema, stops } = this.#setup;
    const steps = [...this.#unseen];
    if (steps.length === 0) return [];
    const first = this.#row;
    const bad = Number(this.#any.item()) > 0 ? this.#readLogs(steps, first) : [];
    this.#pass(steps.length);
    const done = stops ? (bad[0]?.index ?? steps.length) : steps.length - bad.length;
    if (ema) ema.updates += done;
    return stops ? bad.slice(0, 1) : bad;
  }

  /** Asks without waiting whether the steps so far were finite; {@link read} returns the answer. */
  ask(): void {
    this.#answer.ask(this.#any);
    this.#asked = this.#unseen.length;
  }

  /** Waits for the steps that were asked about. Returns their number; undefined if one had NaN or Inf. */
  read(): number | undefined {
    const steps = this.#asked;
    if (steps === 0) return 0;
    if (this.#answer.read() > 0) return undefined;
    this.#pass(steps);
    const { ema } = this.#setup;
    if (ema) ema.updates += steps;
    return steps;
  }

  /** Drops the oldest `steps` steps from those not yet seen. */
  #pass(steps: number): void {
    this.#row = (this.#row + steps) % rows;
    this.#unseen.splice(0, steps);
    this.#asked = 0;
  }

  #readLogs(steps: readonly number[], first: number): { index: number; what: string }[] {
    const { buffers } = this.#setup;
    const read = new Map(
      [...this.#logs].map(([parts, { log, layout }]) => [parts, { values: log.tolist() as number[][], layout }]),
    );
    noGrad(() => {
      this.#any.zero_();
      this.#found.zero_();
    });
    return steps.flatMap((parts, index) => {
      const { values, layout } = read.get(parts) as { values: number[][]; layout: Omit<Health, 'values'> };
      const what = whatIn(values[(first + index) % rows] as number[], layout, buffers.names);
      return what === undefined ? [] : [{ index, what }];
    });
  }

  /** Returns the values that show NaN or Inf; with a log, the device decides by them. */
  #judge(parts: readonly Part[], log?: Tensor): Health {
    const { buffers, scaler, clipNorm, ema, stops, optimizer } = this.#setup;
    this.#scale?.remember();
    scaler?.unscale_(optimizer);
    const named = parts.flatMap(({ terms }) => Object.entries(terms));
    const losses = parts.map(({ loss }) => loss);
    const { share = null, updates = null } = this.#average ?? {};
    const values = noGrad(() =>
      scope(() => {
        const gradients = this.#trained().flatMap((param) => param.grad ?? []);
        const lists = [gradients, buffers.statistics, losses, named.map(([, { value }]) => value)];
        // An overflow in float16 is expected, so the norm does not decide.
        const flags = [!scaler, log ?? null, this.#next, this.#any, this.#found, stops];
        const factors = [this.#factor ?? null, clipNorm ?? 0, share, updates, ema?.decay ?? 0, ema?.warmUp ?? false];
        return callOverload(overloadOf('srrl::judge_step'), [...lists, ...flags, ...factors]) as Tensor;
      }),
    );
    const deciding = losses.length + 1 + buffers.names.length;
    return { values, losses: losses.length, deciding, terms: named.map(([name]) => name) };
  }

  #change(parts: readonly Part[], found: Tensor): void {
    const { optimizer, meter, scaler, ema, half } = this.#setup;
    const foundInf = scaler ? noGrad(() => torch.maximum(found, scaler.onDevice.foundInf)) : found;
    const step = { lr: this.#rates, foundInf };
    const { share } = this.#average ?? {};
    const copies = this.#copies;
    if (optimizer.endsStep) {
      const average = ema && share && { share, of: (param: Tensor) => ema.averageOf(param) };
      optimizer.step({
        ...step,
        ...(this.#factor && { scale: this.#factor }),
        ...(average && { average }),
        ...(copies && { half: (param: Tensor) => copies.copyOf(param) }),
      });
    } else {
      this.#clip();
      optimizer.step(step);
    }
    if (!copies) half?.update();
    scaler?.update();
    if (ema && share) ema.updateBy(share, new Set(optimizer.endsStep ? this.#trained() : []));
    for (const part of parts) meter.add(part, found);
  }

  #clip(): void {
    const gradients = this.#trained().flatMap((param) => param.grad ?? []);
    const factor = this.#factor;
    if (factor && gradients.length > 0) noGrad(() => torch._foreachMul_(gradients, factor));
  }

  /** The parameters that have a gradient. */
  #trained(): Tensor[] {
    const params = this.#setup.optimizer.paramGroups.flatMap((group) => group.params);
    return params.filter(({ grad }) => grad);
  }

  dispose(): void {
    const logs = [...this.#logs.values()].map(({ log }) => log);
    const flags = [this.#sound, this.#found, this.#any, this.#next, ...logs];
    const factors = [this.#factor, this.#average?.share, this.#average?.updates];
    for (const holder of [...this.#rates, ...flags, ...factors, this.#scale, this.#answer]) holder?.dispose();
  }
}
