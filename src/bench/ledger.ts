/** Where the time of a training step goes. */
import { Tensor } from '../tensor/index.js';
import type { Training } from './training.js';

/** Adds up the time of calls by name, and that between them where it has a name of its own. */
class Stopwatch {
  readonly spent: Record<string, number> = {};
  readonly #undo: (() => void)[] = [];
  #ended = 0;

  /** Times a method, on this object alone; `before` is the name for what lies between the last call and this one. */
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
 * Milliseconds a step by part. `checks` is what lies between the backward and the update: whether losses and gradients
 * are numbers. `host` is all that belongs to no part: JavaScript, freeing tensors, the meter.
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
