/** The random generators of a run: the CPU's, and that of its device. */
import { getRngState, keep, scope, setRngState, type Tensor } from '../tensor/index.js';

/** States of random generators, by device. */
export type RandomState = Record<string, Tensor>;

export const randomState = (device: string): RandomState =>
  Object.fromEntries([...new Set(['cpu', device])].map((name) => [name, getRngState(name)]));

/** Returns the state and keeps it beyond the scope, until {@link disposeState}. */
export function keptState(device: string): RandomState {
  return scope(() => {
    const state = randomState(device);
    for (const tensor of Object.values(state)) keep(tensor);
    return state;
  });
}

export function goOnFrom(state: RandomState): void {
  for (const [device, tensor] of Object.entries(state)) setRngState(tensor, device);
}

export function disposeState(state: RandomState): void {
  for (const tensor of Object.values(state)) tensor.dispose();
}

/** Returns the result of `body`, and whether it used the random generator of a device. */
export function drawing<T>(device: string, body: () => T): { result: T; drew: boolean } {
  const state = () => scope(() => getRngState(device).toTypedArray().join());
  const before = state();
  const result = body();
  return { result, drew: state() !== before };
}
