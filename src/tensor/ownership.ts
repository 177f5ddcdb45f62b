/**
 * Who frees a tensor: the innermost open scope, the asynchronous scope that this code runs in, or else the safety net.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Netted, watch } from './net.js';
import { note } from './tracking.js';

let depth = 0;

/** @internal Opens and closes a synchronous scope; returns the depth that results. */
export const enterScope = (): number => ++depth;
/** @internal */
export const leaveScope = (): number => --depth;

const asyncScopes = new AsyncLocalStorage<Set<Netted>>();
let openAsyncScopes = 0;

/** @internal Runs `body` so that what is made in it, across its awaits, is collected in `made`. */
export async function collecting<T>(made: Set<Netted>, body: () => Promise<T>): Promise<T> {
  openAsyncScopes++;
  try {
    return await asyncScopes.run(made, body);
  } finally {
    openAsyncScopes--;
  }
}

/** Gives a new tensor its owner. */
export function owned<T extends Netted>(tensor: T): T {
  note(tensor.handle);
  if (depth === 0) adopt(tensor);
  return tensor;
}

/** @internal Gives a tensor that no synchronous scope owns its owner. */
export function adopt(tensor: Netted): void {
  const made = openAsyncScopes > 0 ? asyncScopes.getStore() : undefined;
  if (made) made.add(tensor);
  else watch(tensor);
}
