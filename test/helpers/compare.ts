import { expect } from 'vitest';
import type { Tensor } from '../../src/torch.js';

/** Asserts that a tensor's elements are those of a fixture, to a relative error (against the largest element). */
export function expectClose(actual: Tensor, expected: number[], tolerance = 1e-10): void {
  const values = [...(actual.detach().to('float64').toTypedArray() as Float64Array)];
  expect(values).toHaveLength(expected.length);
  const scale = Math.max(1e-300, ...expected.map(Math.abs));
  const worst = Math.max(0, ...values.map((value, i) => Math.abs(value - (expected[i] as number)) / scale));
  expect(worst).toBeLessThanOrEqual(tolerance);
}

export function expectCloseNumber(actual: number, expected: number, tolerance = 1e-10): void {
  expect(Math.abs(actual - expected) / Math.max(1e-300, Math.abs(expected))).toBeLessThanOrEqual(tolerance);
}

/**
 * Asserts that a gradient is zero but for rounding: it vanishes next to the largest gradient of the same loss. The
 * fixtures leave out what is zero in exact arithmetic, as the gradient of a bias in front of a normalization: its
 * digits depend on the CPU.
 */
export function expectVanishing(gradient: Tensor, largest: number): void {
  expect(largest).toBeGreaterThan(0);
  expect(Number(gradient.detach().abs().max().item())).toBeLessThanOrEqual(1e-9 * largest);
}

/** The largest absolute difference of two tensors. */
export function maxDifference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return Number(a.to('float64').sub(b.to('float64')).abs().max().item());
}
