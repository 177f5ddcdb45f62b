/** Tracks where live tensors were made. Off by default, since it costs a stack trace per tensor. */
import { type Handle, native } from '../native.js';

let origins: Map<Handle, string> | undefined;

/** Starts to record the origin of every new tensor, or stops and clears the record. */
export function trackOrigins(on = true): void {
  origins = on ? new Map() : undefined;
}

/** @internal */
export function note(handle: Handle): void {
  if (origins) origins.set(handle, originOf(new Error().stack ?? ''));
}

const inside = /[\\/](?:src|dist)[\\/]tensor[\\/]/;

/** The first three stack lines outside of this folder. */
function originOf(stack: string): string {
  const lines = stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  const own = lines.findIndex((line) => !inside.test(line) && !line.includes('node:internal'));
  return lines.slice(Math.max(0, own), Math.max(0, own) + 3).join('\n');
}

/** Live tensors that were made at one place. */
export interface Leak {
  /** The nearest lines of the stack. */
  origin: string;
  count: number;
  /** The shape of one of them. */
  shape: number[];
}

/**
 * Lists where the live tensors were made, most frequent place first; covers tensors made since {@link trackOrigins}.
 */
export function report(): Leak[] {
  const leaks = new Map<string, Leak>();
  for (const [handle, origin] of origins ?? []) {
    if (!native().alive(handle)) {
      origins?.delete(handle);
      continue;
    }
    const leak = leaks.get(origin) ?? { origin, count: 0, shape: native().shape(handle) };
    leak.count++;
    leaks.set(origin, leak);
  }
  return [...leaks.values()].sort((a, b) => b.count - a.count);
}
