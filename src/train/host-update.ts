import { clipGradNorm_, type EMA, type GradScaler, getTotalNorm } from '../optim/index.js';
import type { BufferGuard } from './buffer-guard.js';
import type { TermMeter } from './meter.js';
import type { AnyOptimizer } from './optimizer.js';
import { nonFiniteTerm, type Part } from './part.js';
import type { Ranks } from './ranks.js';

/** What the end of a step works on, wherever it happens. */
export interface UpdateSetup {
  optimizer: AnyOptimizer;
  buffers: BufferGuard;
  meter: TermMeter;
  ema: EMA | undefined;
  /** In float16: a step whose gradients overflow is left out by the optimizer alone, and lowers the scale. */
  scaler: GradScaler | undefined;
  clipNorm: number | undefined;
  ranks?: Ranks | undefined;
}

/** The end of a step on the CPU, where the host may look at every number. */
export class HostUpdate {
  constructor(private readonly setup: UpdateSetup) {}

  /** Updates by what passes returned; or says what was NaN or Inf, and changes nothing but statistics. */
  now(parts: readonly Part[]): string | undefined {
    const bad = nonFiniteTerm(parts) ?? this.update();
    if (bad !== undefined) return bad;
    for (const part of parts) this.setup.meter.add(part);
    return undefined;
  }

  private update(): string | undefined {
    const { optimizer, buffers, ema, scaler, clipNorm, ranks } = this.setup;
    if (scaler) scaler.unscale_(optimizer);
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    // The norm is a number exactly where all gradients are; the statistics' share of the sum is 0, or NaN.
    const gradients = clipNorm === undefined ? getTotalNorm(params) : clipGradNorm_(params, clipNorm);
    const norm = Number(buffers.added(gradients).item());
    // Gradients are those of all processes, statistics may be this one's alone.
    const [unsound] = ranks?.any([!Number.isFinite(norm)]) ?? [!Number.isFinite(norm)];
    if (unsound) {
      const buffer = buffers.nonFinite();
      if (buffer !== undefined) return buffer;
      if (Number.isFinite(norm)) return 'a statistic of another rank';
    }
    if (scaler) {
      // An overflow in float16 is not an accident: the scaler skips the step and lowers its scale.
      scaler.step(optimizer);
      scaler.update();
    } else {
      if (!Number.isFinite(norm)) return 'a gradient';
      optimizer.step();
    }
    ema?.update();
    return undefined;
  }
}
