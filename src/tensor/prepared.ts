/**
 * Calls that repeat with the same lists, numbers and flags but different tensors, such as those of a layer. Constant
 * arguments are encoded once and kept on the native side; later calls pass only the tensors.
 */
import { native } from '../native.js';
import type { Flat, Native } from '../native-types.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/** Stands for a tensor among the arguments of a call. */
const tensorHere = Symbol('tensor');
type Constant = number | boolean | string | null | undefined;
type Pattern = (typeof tensorHere | Constant | readonly number[])[];

interface Prepared {
  pattern: Pattern;
  id: number;
}

/** Enough for the layers of a network; bounded because calls with new numbers each time would fill memory. */
const mostPrepared = 16;
const mostSeen = 4;
const mostTensors = 4;
const longestList = 8;

/** The prepared calls of one operator. */
export class PreparedCalls {
  private readonly ready: Prepared[] = [];
  /** Patterns seen once; a second call moves them to `ready`. */
  private seen: Pattern[] = [];
  private invoke: Native['callPrepared'] = () => undefined;

  /** Returns the result (null for an undefined tensor), or undefined if no prepared call matches the arguments. */
  call(args: unknown[]): Tensor | null | undefined {
    const { ready } = this;
    for (let i = 0; i < ready.length; i++) {
      const prepared = ready[i] as Prepared;
      if (!matches(prepared.pattern, args)) continue;
      const handle = this.run(prepared.id, args) as number | null;
      return handle === null ? null : owned(new Tensor(handle));
    }
    return undefined;
  }

  /**
   * Remembers the arguments, and prepares a call when they repeat. Only for operators that return one new tensor.
   */
  consider(args: unknown[], operator: number, encode: () => Flat[]): void {
    if (this.ready.length === mostPrepared) return;
    const known = this.seen.findIndex((pattern) => matches(pattern, args));
    if (known >= 0) {
      const [pattern] = this.seen.splice(known, 1);
      this.invoke = native().callPrepared;
      this.ready.push({ pattern: pattern as Pattern, id: native().prepare(operator, ...encode()) });
      return;
    }
    const pattern = patternOf(args);
    if (pattern) this.seen = [pattern, ...this.seen.slice(0, mostSeen - 1)];
  }

  private run(id: number, args: unknown[]): unknown {
    let [a, b, c, d]: (Tensor | undefined)[] = [];
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (!(arg instanceof Tensor)) continue;
      if (a === undefined) a = arg;
      else if (b === undefined) b = arg;
      else if (c === undefined) c = arg;
      else d = arg;
    }
    if (d && c && b && a) return this.invoke(id, a.handle, b.handle, c.handle, d.handle);
    if (c && b && a) return this.invoke(id, a.handle, b.handle, c.handle);
    if (b && a) return this.invoke(id, a.handle, b.handle);
    return a ? this.invoke(id, a.handle) : this.invoke(id);
  }
}

function patternOf(args: unknown[]): Pattern | undefined {
  const pattern: Pattern = [];
  let tensors = 0;
  for (const arg of args) {
    if (arg instanceof Tensor) {
      tensors++;
      pattern.push(tensorHere);
    } else if (Array.isArray(arg)) {
      if (arg.length > longestList || !arg.every((item) => typeof item === 'number')) return undefined;
      pattern.push([...arg]);
    } else if (arg === null || ['number', 'boolean', 'string', 'undefined'].includes(typeof arg)) {
      pattern.push(arg as Constant);
    } else return undefined;
  }
  return tensors > 0 && tensors <= mostTensors ? pattern : undefined;
}

function matches(pattern: Pattern, args: unknown[]): boolean {
  if (pattern.length !== args.length) return false;
  for (let i = 0; i < pattern.length; i++) {
    const [wanted, arg] = [pattern[i], args[i]];
    if (wanted === tensorHere) {
      if (!(arg instanceof Tensor)) return false;
    } else if (typeof wanted === 'object' && wanted !== null) {
      if (!Array.isArray(arg) || !sameNumbers(wanted, arg)) return false;
    } else if (!Object.is(wanted, arg)) return false;
  }
  return true;
}

function sameNumbers(wanted: readonly number[], given: unknown[]): boolean {
  if (wanted.length !== given.length) return false;
  for (let i = 0; i < wanted.length; i++) if (!Object.is(wanted[i], given[i])) return false;
  return true;
}
