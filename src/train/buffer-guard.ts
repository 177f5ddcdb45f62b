import type { Module } from '../nn/index.js';
import { Undo } from '../optim/undo.js';
import { noGrad, scope, type Tensor } from '../tensor/index.js';
import { firstNonFinite, largestMagnitudes } from './finite.js';

/** Elements. Larger buffers, such as the memory banks of CRD, would cost more to copy than it is worth. */
const largest = 2 ** 16;

/**
 * Remembers the buffers of modules, which a forward pass changes, so that a step can be undone; finds NaN or Inf in
 * them.
 */
export class BufferGuard {
  readonly #named: Record<string, Tensor>;
  readonly #undo: Undo;
  readonly #floating: [name: string, buffer: Tensor][];

  constructor(modules: Record<string, Module>) {
    const named = Object.entries(modules).flatMap(([prefix, module]) =>
      [...module.namedBuffers()].map(([name, buffer]) => [`${prefix}.${name}`, buffer] as const),
    );
    const small = named.filter(([, buffer]) => buffer.numel() <= largest);
    this.#named = Object.fromEntries(small);
    this.#floating = Object.entries(this.#named).filter(([, buffer]) => buffer.isFloatingPoint() && buffer.numel() > 0);
    this.#undo = new Undo(Object.values(this.#named));
  }

  remember(): void {
    this.#undo.remember();
  }

  restore(): void {
    this.#undo.restore();
  }

  /** Restores the buffers if `found` (one element) is above 0, without waiting for the device. */
  restoreIf(found: Tensor): void {
    this.#undo.restoreIf(found);
  }

  /** Returns the scalar `value` if all statistics are finite, else NaN, without gradient or waiting for the device. */
  added(value: Tensor): Tensor {
    if (this.#floating.length === 0) return value;
    return noGrad(() =>
      scope(() => {
        const zero = largestMagnitudes(this.statistics).sum().mul(0);
        return zero.to({ device: value.device, dtype: value.dtype }).add(value);
      }),
    );
  }

  /** Names of the {@link statistics}. */
  get names(): string[] {
    return this.#floating.map(([name]) => name);
  }

  /** The statistics that may become NaN or Inf. */
  get statistics(): Tensor[] {
    return this.#floating.map(([, buffer]) => buffer);
  }

  /** Returns the name of the first statistic that holds NaN or Inf. */
  nonFinite(): string | undefined {
    return firstNonFinite(this.#named);
  }

  dispose(): void {
    this.#undo.dispose();
  }
}
