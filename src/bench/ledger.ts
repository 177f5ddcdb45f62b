/** Measures the time of each part of a training step. */
import { Tensor } from '../tensor/index.js';
import type { Training } from './training.js';

/** Adds up the time of calls by name, and the time between calls if it has a name. */
class Stopwatch {
  readonly spent: Record<string, number> = {};
  readonly #undo: (() => void)[] = [];
  #ended = 0;

  /** Times a method of this object only; `before` names the time since the previous call. */
  watch<T extends object>(owner: T | undefined, method: keyof T & string, part: string, before?: string): void {
    if (!owner) return;
    const own = Object.getOwnPropertyDescriptor(owner, method);
    const original = owner[method] as (...args: unknown[]) => unknown;
    const watch = this;
    Object.defineProperty(owner, method, {
      configurable: true,
      writable: true,
      value(this: T, ...args: unknown[]) {
        const began = performance.now();
        if (before !== undefined) watch.#add(before, began - watch.#ended);
        try {
          return original.apply(this, args);
        } finally {
          watch.#ended = performance.now();
          watch.#add(part, watch.#ended - began);
        }
      },
    });
    this.#undo.push(() => {
      if (own) Object.defineProperty(owner, method, own);
      else Reflect.deleteProperty(owner, method);
    });
  }

  #add(part: string, milliseconds: number): void {
    this.spent[part] = (this.spent[part] ?? 0) + milliseconds;
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }
}

/**
 * Returns milliseconds per step by part. `checks` is the time between backward and update, which checks losses and
 * gradients for NaN or Inf. `host` is the rest: JavaScript, freeing tensors, the measurement itself.
 */
export async function ledgerOf(training: Training, steps: number): Promise<Record<string, number>> {
  const { loader, optimizer, setup } = training.trainer;
  const watch = new Stopwatch();
  watch.watch(loader, 'batch', 'data');
  watch.watch(setup.targets, 'of', 'teacher');
  watch.watch(setup.student, 'forwardFeatures', 'student forward');
  watch.watch(setup.objective, 'terms', 'connector and losses');
  watch.watch(Tensor.prototype, 'backward', 'backward');
  watch.watch(optimizer, 'step', 'optimizer', 'checks');
  const began = performance.now();
  try {
    for (let i = 0; i < steps; i++) await training.step();
  } finally {
    watch.stop();
  }
  const whole = performance.now() - began;
  const parts = Object.values(watch.spent).reduce((sum, part) => sum + part, 0);
  const all = { ...watch.spent, host: whole - parts, whole };
  return Object.fromEntries(Object.entries(all).map(([part, milliseconds]) => [part, milliseconds / steps]));
}
