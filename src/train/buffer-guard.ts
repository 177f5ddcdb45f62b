import type { Module } from '../nn/index.js';
import { keep, noGrad, scope, type Tensor, TensorList, functions as torch } from '../tensor/index.js';
import { firstNonFinite, largestMagnitudes } from './finite.js';

/** Larger ones, such as the memory banks of CRD, would cost more to copy than they are worth. */
const largest = 2 ** 16;

/** Remembers the statistics of modules, which a forward changes, so that a step can be taken back; and tells whether they are numbers. */
export class BufferGuard {
  readonly #named: Record<string, Tensor>;
  readonly #buffers: TensorList | undefined;
  readonly #copies: Tensor[] = [];
  readonly #kept: TensorList | undefined;
  readonly #floating: Tensor[];

  constructor(modules: Record<string, Module>) {
    const named = Object.entries(modules).flatMap(([prefix, module]) =>
      [...module.namedBuffers()].map(([name, buffer]) => [`${prefix}.${name}`, buffer] as const),
    );
    const small = named.filter(([, buffer]) => buffer.numel() <= largest);
    this.#named = Object.fromEntries(small);
    const buffers = small.map(([, buffer]) => buffer);
    this.#floating = buffers.filter((buffer) => buffer.isFloatingPoint() && buffer.numel() > 0);
    if (buffers.length === 0) return;
    this.#copies = buffers.map((buffer) => keep(noGrad(() => buffer.clone())));
    this.#buffers = new TensorList(buffers);
    this.#kept = new TensorList(this.#copies);
  }

  remember(): void {
    const [to, from] = [this.#kept, this.#buffers];
    if (to && from) noGrad(() => torch._foreachCopy_(to, from));
  }

  restore(): void {
    const [to, from] = [this.#buffers, this.#kept];
    if (to && from) noGrad(() => torch._foreachCopy_(to, from));
  }

  /** `value` where all statistics are numbers, else NaN, without waiting for the device. */
  added(value: Tensor): Tensor {
    if (this.#floating.length === 0) return value;
    return noGrad(() => scope(() => largestMagnitudes(this.#floating).sum().mul(0).to(value.device).add(value)));
  }

  /** The first of the statistics that holds NaN or Inf. */
  nonFinite(): string | undefined {
    return firstNonFinite(this.#named);
  }

  dispose(): void {
    for (const holder of [this.#buffers, this.#kept, ...this.#copies]) holder?.dispose();
  }
}
