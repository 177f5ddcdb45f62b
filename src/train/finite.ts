/**
 * Finds NaN and Inf in tensors: a weight, a statistic or an optimizer state that has one must not be saved.
 */
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/**
 * Returns the largest magnitude of each tensor, float64 [tensors]; NaN for a tensor that holds NaN. Tensors must be
 * floating-point, not empty, and on one device.
 */
export function largestMagnitudes(tensors: readonly Tensor[]): Tensor {
  const norms = torch._foreachNorm(tensors, Number.POSITIVE_INFINITY);
  const alike = norms.every(({ dtype }) => dtype === norms[0]?.dtype);
  return alike ? torch.stack(norms).to('float64') : torch.stack(norms.map((norm) => norm.to('float64')));
}

/** Returns the name of the first tensor that holds NaN or Inf. Waits once for each device. */
export function firstNonFinite(named: Readonly<Record<string, Tensor>>): string | undefined {
  const floating = Object.entries(named).filter(([, tensor]) => tensor.isFloatingPoint() && tensor.numel() > 0);
  for (const device of new Set(floating.map(([, tensor]) => tensor.device))) {
    const here = floating.filter(([, tensor]) => tensor.device === device);
    const values = noGrad(() => scope(() => largestMagnitudes(here.map(([, tensor]) => tensor)).tolist() as number[]));
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) return here[bad]?.[0];
  }
  return undefined;
}
