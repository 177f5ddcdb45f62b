/** Who frees a tensor: the innermost open scope, or else the safety net. */
import { type Netted, watch } from './net.js';

let depth = 0;

/** @internal Opens and closes; returns the depth that results. */
export const enterScope = (): number => ++depth;
/** @internal */
export const leaveScope = (): number => --depth;

/** Gives a new tensor its owner. */
export function owned<T extends Netted>(tensor: T): T {
  if (depth === 0) watch(tensor);
  return tensor;
}
