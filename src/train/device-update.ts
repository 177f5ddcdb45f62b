import type { HalfWeights } from '../nn/half-weights.js';
import { Undo } from '../optim/undo.js';
import { callOverload, keep, noGrad, overloadOf, scope, type Tensor, functions as torch } from '../tensor/index.js';
import { type Health, whatIn } from './health.js';
import type { UpdateSetup } from './host-update.js';
import { LateNumber } from './late-number.js';
import type { Part } from './part.js';

export interface DeviceUpdateSetup extends UpdateSetup {
  device: string;
  /** Follows the weights. */
  half: HalfWeights | undefined;
  /** Whether after a step with NaN or Inf the next ones change nothing either. */
  stops: boolean;
}

/** Steps that may be done between two looks. */
const rows = 512;

/**
 * The end of a step on a device: NaN and Inf found, gradients clipped, weights updated, averages and means added to,
 * without asking the host, so that it can be captured in a graph. A step with NaN or Inf changes nothing; which it was,
 * and what, is written into a log on the device that the host reads now and then.
 */
export class DeviceUpdate {
  readonly #setup: DeviceUpdateSetup;
  readonly #rates: Tensor[];
  readonly #uploaded: number[];
  readonly #sound: Tensor;
  /** 1 from a step with NaN or Inf on, where those after it are to change nothing. */
  readonly #found: Tensor;
  /** Whether any step since the last look had NaN or Inf. */
  readonly #any: Tensor;
  /** The number of the next row of the log, int64 [1]. */
  readonly #next: Tensor;
  /** By number of parts: rows for the values of steps, float64 [rows, ...], and what they are. */
  readonly #logs = new Map<number, { log: Tensor; layout: Omit<Health, 'values'> }>();
  /** In how many parts each step since the last look was done. */
  #unseen: number[] = [];
  /** What the gradients of the step are multiplied by, so that their norm is not too large. */
  readonly #factor: Tensor | undefined;
  /** The part by which the averages follow in the step, 0 where they do not; and the number of their updates. */
  #average: { share: Tensor; updates: Tensor } | undefined;
  #row = 0;
  /** {@link #any} of the steps that were asked about, and how many they are. */
  readonly #answer: LateNumber;
  #asked = 0;
  /** Takes back what an unsound step did to the scaler. */
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

  /** Steps that {@link look} has not seen. */
  get unseen(): number {
    return this.#unseen.length;
  }

  /** Whether no step may be done before the next look. */
  get full(): boolean {
    return this.#unseen.length >= rows;
  }

  /** Whether {@link later} reads gradients in bfloat16 as well, where there are own kernels. */
  get readsNarrow(): boolean {
    return this.#copies !== undefined && !this.#setup.scaler;
  }

  /** Copies of the weights that the optimizer's kernel writes as well. */
  get #copies(): HalfWeights | undefined {
    const { optimizer, half } = this.#setup;
    return optimizer.endsStep && half?.dtype === 'bfloat16' ? half : undefined;
  }

  /** Brings what the host decided to the device, before a step or a replay. */
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

  /** Waits for the device: what was NaN or Inf, in which case nothing is changed, or undefined. */
  now(parts: readonly Part[]): string | undefined {
    const { values: tensor, ...layout } = this.#judge(parts);
    const { buffers, device, ema, scaler } = this.#setup;
    const values = tensor.tolist() as number[];
    // Made here, as it must be there before anything is captured.
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

  /** The same without waiting, to be captured. The statistics must be remembered before the step. */
  later(parts: readonly Part[]): void {
    this.#judge(parts, this.#logs.get(parts.length)?.log);
    this.#setup.buffers.restoreIf(this.#found);
    this.#change(parts, this.#found);
    this.#scale?.restoreIf(this.#found);
    // Nobody else sees them in bfloat16.
    if (this.readsNarrow) this.#setup.optimizer.zeroGrad();
  }

  /** Counts a replay of what {@link later} captured for so many parts. */
  replayed(parts: number): void {
    this.#unseen.push(parts);
  }

  /** Waits for the device: which of the steps since the last look had NaN or Inf, counted from 0, and in what. */
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

  /** Asks whether the steps up to here were sound, without waiting: {@link read} tells. */
  ask(): void {
    this.#answer.ask(this.#any);
    this.#asked = this.#unseen.length;
  }

  /** Waits for the steps that were asked about: how many they were; undefined where one of them was not sound. */
  read(): number | undefined {
    const steps = this.#asked;
    if (steps === 0) return 0;
    if (this.#answer.read() > 0) return undefined;
    this.#pass(steps);
    const { ema } = this.#setup;
    if (ema) ema.updates += steps;
    return steps;
  }

  /** Nothing has to be known of the next steps any more. */
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

  /** What tells whether the step was sound; with a log, the device decides by it. */
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
        // An overflow in float16 is not an accident, so that the norm does not decide.
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
