/**
 * Synchronous collectives, for training loops that own their thread and have no other work between two of them. On
 * GPUs, the collectives run in stream order and the host does not wait.
 */
import { native } from '../native.js';
import { fromArray, noGrad, owned, scope, Tensor } from '../tensor/index.js';
import { getRank, type ReduceOp } from './group.js';

export function allReduceNow(tensors: readonly Tensor[], op: ReduceOp = 'sum'): void {
  if (tensors.length > 0)
    native().distributedAllReduce(
      tensors.map((tensor) => tensor.handle),
      op,
      false,
    );
}

export function broadcastNow(tensors: readonly Tensor[], source = 0): void {
  if (tensors.length > 0)
    native().distributedBroadcast(
      tensors.map((tensor) => tensor.handle),
      source,
      false,
    );
}

/** Stacks the tensors of all ranks to [ranks, ...]. */
export function allGatherNow(tensor: Tensor): Tensor {
  return owned(new Tensor(native().distributedAllGather(tensor.handle, false) as number));
}

/** Reduces numbers over all ranks, element by element. */
export function numbersNow(values: readonly number[], op: ReduceOp): number[] {
  if (values.length === 0) return [];
  return noGrad(() =>
    scope(() => {
      const tensor = fromArray(Float64Array.from(values), [values.length]);
      allReduceNow([tensor], op);
      return tensor.tolist() as number[];
    }),
  );
}

/** Broadcasts the bytes of rank `source`; arguments of other ranks are ignored. */
export function bytesNow(given: Uint8Array | undefined, source = 0): Uint8Array {
  const bytes = getRank() === source ? given : undefined;
  return noGrad(() =>
    scope(() => {
      const [length = 0] = numbersNow([bytes?.length ?? 0], 'max');
      const tensor = fromArray(bytes ?? new Uint8Array(length), [length]);
      if (length > 0) broadcastNow([tensor], source);
      return Uint8Array.from(tensor.toTypedArray() as Uint8Array);
    }),
  );
}

/** Broadcasts a JSON-serializable value of rank 0. */
export function valueNow<T>(value: T): T {
  const text = bytesNow(new TextEncoder().encode(JSON.stringify(value) ?? 'null'));
  return JSON.parse(new TextDecoder().decode(text)) as T;
}
