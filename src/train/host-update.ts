import { clipGradNorm_, type EMA, type GradScaler, getTotalNorm } from '../optim/index.js';
import type { BufferGuard } from './buffer-guard.js';
import type { TermMeter } from './meter.js';
import type { AnyOptimizer } from './optimizer.js';
import { nonFiniteTerm, type Part } from './part.js';

/** What the end of a step works on, wherever it happens. */
export interface UpdateSetup {
  optimizer: AnyOptimizer;
  buffers: BufferGuard;
  meter: TermMeter;
  ema: EMA | undefined;
  /** In float16: a step whose gradients overflow is left out by the optimizer alone, and lowers the scale. */
  scaler: GradScaler | undefined;
  clipNorm: number | undefined;
}

/** The end of a step on the CPU, where the host may look at every number. */
export class HostUpdate {
  constructor(private readonly setup: UpdateSetup) {}

  /** Updates by what passes returned; or says what was NaN or Inf, and changes nothing but statistics. */
  now(parts: readonly Part[]): string | undefined {
    const bad = nonFiniteTerm(parts) ?? this.update();
    if (bad !== undefined) return bad;
    for (const { terms, loss, count, right } of parts) this.setup.meter.add(terms, loss, count, right);
    return undefined;
  }

  private update(): string | undefined {
    const { optimizer, buffers, ema, scaler, clipNorm } = this.setup;
    if (scaler) scaler.unscale_(optimizer);
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    // The norm is a number exactly where all gradients are; the statistics' share of the sum is 0, or NaN.
    const gradients = clipNorm === undefined ? getTotalNorm(params) : clipGradNorm_(params, clipNorm);
    const norm = Number(buffers.added(gradients).item());
    if (!Number.isFinite(norm)) {
      const buffer = buffers.nonFinite();
      if (buffer !== undefined) return buffer;
    }
    if (scaler) {
      // An overflow in float16 is no accident: the scaler skips the step and lowers its scale.
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
