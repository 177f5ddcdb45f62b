/**
 * The owner that frees a tensor: the innermost open scope, else the current asynchronous scope, else the safety net.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Netted, watch } from './net.js';
import { note } from './tracking.js';

let depth = 0;

/** @internal Opens a synchronous scope; returns the new depth. */
export const enterScope = (): number => ++depth;
/** @internal */
export const leaveScope = (): number => --depth;

const asyncScopes = new AsyncLocalStorage<Set<Netted>>();
let openAsyncScopes = 0;

/** @internal Runs `body` and collects the tensors that it makes, also after its awaits, in `made`. */
export async function collecting<T>(made: Set<Netted>, body: () => Promise<T>): Promise<T> {
  openAsyncScopes++;
  try {
    return await asyncScopes.run(made, body);
  } finally {
    openAsyncScopes--;
  }
}

/** Assigns a new tensor to its owner. Returns the tensor. */
export function owned<T extends Netted>(tensor: T): T {
  note(tensor.handle);
  if (depth === 0) adopt(tensor);
  return tensor;
}

/** @internal Assigns a tensor outside of synchronous scopes to its owner. */
export function adopt(tensor: Netted): void {
  const made = openAsyncScopes > 0 ? asyncScopes.getStore() : undefined;
  if (made) made.add(tensor);
  else watch(tensor);
}
