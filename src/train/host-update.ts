import { clipGradNorm_, type EMA, type GradScaler } from '../optim/index.js';
import { gradientNorm } from '../tensor/index.js';
import type { BufferGuard } from './buffer-guard.js';
import type { TermMeter } from './meter.js';
import type { AnyOptimizer } from './optimizer.js';
import { nonFiniteTerm, type Part } from './part.js';
import type { Ranks } from './ranks.js';

/** What the end of a step works on, on the CPU or a device. */
export interface UpdateSetup {
  optimizer: AnyOptimizer;
  buffers: BufferGuard;
  meter: TermMeter;
  ema: EMA | undefined;
  /** In float16: if gradients overflow, only the optimizer skips the step, and the scale is lowered. */
  scaler: GradScaler | undefined;
  clipNorm: number | undefined;
  ranks?: Ranks | undefined;
}

/** The end of a step on the CPU, where the host can read every number. */
export class HostUpdate {
  constructor(private readonly setup: UpdateSetup) {}

  /** Updates from the passes. With NaN or Inf, returns where it was and changes nothing but statistics. */
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
    // The norm is finite if and only if all gradients are; statistics add 0, or NaN.
    const gradients = clipNorm === undefined ? gradientNorm(params) : clipGradNorm_(params, clipNorm);
    const norm = Number(buffers.added(gradients).item());
    // Gradients are shared by all processes; statistics may belong to this one alone.
    const [unsound] = ranks?.any([!Number.isFinite(norm)]) ?? [!Number.isFinite(norm)];
    if (unsound) {
      const buffer = buffers.nonFinite();
      if (buffer !== undefined) return buffer;
      if (Number.isFinite(norm)) return 'a statistic of another rank';
    }
    if (scaler) {
      // An overflow in float16 is expected: the scaler skips the step and lowers its scale.
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
