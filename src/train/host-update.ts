import { clipGradNorm_, type EMA, type GradScaler } from '../optim/index.js';
import { gradientNorm } from '../tensor/index.js';
import type { BufferGuard } from './buffer-guard.js';
import type { TermMeter } from './meter.js';
import type { AnyOptimizer } from './optimizer.js';
import { nonFiniteTerm, type Part, weightedSumName } from './part.js';
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
    const bad = this.badLoss(parts) ?? this.update();
    if (bad !== undefined) return bad;
    for (const part of parts) this.setup.meter.add(part);
    return undefined;
  }

  private badLoss(parts: readonly Part[]): string | undefined {
    const { buffers, ranks } = this.setup;
    const bad = nonFiniteTerm(parts);
    // The loss of all ranks also shows their statistics.
    return bad === weightedSumName && ranks ? (buffers.nonFinite() ?? `${bad} of all ranks`) : bad;
  }

  /** Gradients, and therefore the outcome, are the same on all ranks. */
  private update(): string | undefined {
    const { optimizer, buffers, ema, scaler, clipNorm } = this.setup;
    if (scaler) scaler.unscale_(optimizer);
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    // The norm is finite if and only if all gradients are; statistics add 0, or NaN.
    const gradients = clipNorm === undefined ? gradientNorm(params) : clipGradNorm_(params, clipNorm);
    const norm = Number(buffers.added(gradients).item());
    const buffer = Number.isFinite(norm) ? undefined : buffers.nonFinite();
    if (buffer !== undefined) return buffer;
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
