import type { Module } from '../nn/index.js';
import { keep, noGrad, type Tensor, TensorList, functions as torch } from '../tensor/index.js';

/** Larger ones, such as the memory banks of CRD, would cost more to copy than they are worth. */
const largest = 2 ** 16;

/** Remembers the statistics of modules, which a forward changes, so that a step can be taken back. */
export class BufferGuard {
  readonly #buffers: TensorList | undefined;
  readonly #copies: Tensor[] = [];
  readonly #kept: TensorList | undefined;

  constructor(modules: readonly Module[]) {
    const buffers = modules
      .flatMap((module) => [...module.namedBuffers()].map(([, buffer]) => buffer))
      .filter((buffer) => buffer.numel() <= largest);
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

  dispose(): void {
    for (const holder of [this.#buffers, this.#kept, ...this.#copies]) holder?.dispose();
  }
}
