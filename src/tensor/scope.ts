/**
 * Scopes: at its end, a scope frees the tensors made inside it, except those returned. Garbage collection alone never
 * frees native memory in a synchronous loop; a scope does so immediately and deterministically.
 */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type Handle, native } from '../native.js';
import { type Netted, watch } from './net.js';
import { adopt, collecting, enterScope, leaveScope } from './ownership.js';
import { Tensor } from './tensor.js';

/** Objects that hold tensors and can list them, such as modules and optimizers. */
export interface TensorHolder {
  /** Every tensor that it holds. */
  heldTensors(): Iterable<Tensor>;
}

const isHolder = (value: object): value is TensorHolder =>
  'heldTensors' in value && typeof value.heldTensors === 'function';

/** Tensors in a value: the value itself, or those in arrays, maps, sets, plain objects and {@link TensorHolder}s. */
export function tensorsIn(value: unknown, found: Tensor[] = [], seen = new Set<object>()): Tensor[] {
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  if (value instanceof Tensor) found.push(value);
  else if (isHolder(value)) found.push(...value.heldTensors());
  else if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    for (const item of value.values()) tensorsIn(item, found, seen);
    if (value instanceof Map) for (const key of value.keys()) tensorsIn(key, found, seen);
  } else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
  return found;
}

/**
 * Runs `body` and frees every tensor made in it, except those in its result (also inside arrays, maps, plain objects
 * and modules) and those passed to {@link keep}. Scopes nest: returned tensors belong to the enclosing scope. If `body`
 * throws, the tensors are freed as well. `body` must be synchronous.
 *
 *     const loss = torch.scope(() => F.crossEntropy(model.forward(x), y).item());
 */
export function scope<T>(body: () => T): T {
  checkCall('scope', ['body: function'], undefined, arguments);
  const { pushScope, popScope } = native();
  pushScope();
  const depth = enterScope();
  let escaping: Handle[] = [];
  try {
    const result = body();
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new ArgumentError(
        'torch.scope() takes a synchronous function; use torch.asyncScope() for one that awaits.',
      );
    }
    const tensors = tensorsIn(result);
    escaping = tensors.map((tensor) => tensor.handle);
    if (depth === 1) for (const tensor of tensors) adopt(tensor);
    return result;
  } finally {
    leaveScope();
    popScope(escaping);
  }
}

/**
 * Like {@link scope}, for an asynchronous body: frees the tensors made in it and in functions it calls, also after
 * awaits, but not those that other code makes meanwhile. Nests with both kinds. Returned tensors belong to the
 * enclosing asynchronous scope, or else to the safety net.
 */
export async function asyncScope<T>(body: () => Promise<T>): Promise<T> {
  checkCall('asyncScope', ['body: function'], undefined, arguments);
  const made = new Set<Netted>();
  let escaping: Tensor[] = [];
  try {
    const result = await collecting(made, body);
    escaping = tensorsIn(result);
    return result;
  } finally {
    for (const tensor of escaping) if (made.delete(tensor)) adopt(tensor);
    native().release(...[...made].filter((tensor) => tensor.cohort === undefined).map((tensor) => tensor.handle));
  }
}

/** Removes a tensor from every scope: it lives until dispose() or garbage collection. Returns the tensor. */
export function keep<T extends Tensor>(tensor: T): T {
  checkCall('keep', ['tensor: tensor'], undefined, arguments);
  native().keep(tensor.handle);
  watch(tensor);
  return tensor;
}

/** Live tensors and the bytes of their storages, by device. */
export interface MemoryUse {
  tensors: number;
  bytes: number;
  devices: Record<string, { tensors: number; bytes: number }>;
}

/**
 * Counts the live tensors of this thread's JavaScript and their bytes; a storage shared by several tensors counts once.
 */
export function memory(): MemoryUse {
  const devices = native().memory();
  const all = Object.values(devices);
  return {
    tensors: all.reduce((sum, device) => sum + device.tensors, 0),
    bytes: all.reduce((sum, device) => sum + device.bytes, 0),
    devices,
  };
}
