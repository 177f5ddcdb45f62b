import { FileError } from '../../errors.js';
import { Complex, Tensor } from '../../tensor/index.js';
import { Callable, Dict, deepest, PlannedTensor, StorageReference, StorageType } from './values.js';

/** What a file of torch.save holds: dicts of texts are objects without a prototype, other dicts are Maps. */
export type PthValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Complex
  | Uint8Array
  | Tensor
  | PthValue[]
  | Set<PthValue>
  | Map<PthValue, PthValue>
  | { [key: string]: PthValue };

/** Turns what was unpickled into JavaScript values; what was one object stays one. */
export function toPlain(value: unknown, makeTensor: (tensor: PlannedTensor | StorageReference) => Tensor): PthValue {
  const made = new Map<unknown, PthValue>();

  function convert(value: unknown, depth: number): PthValue {
    if (typeof value !== 'object' || value === null) return value as PthValue;
    if (value instanceof Complex || value instanceof Uint8Array || value instanceof Tensor) return value;
    const known = made.get(value);
    if (known !== undefined) return known;
    if (depth > deepest) throw new FileError(`its containers nest deeper than ${deepest}.`);
    if (value instanceof PlannedTensor || value instanceof StorageReference) return remember(value, makeTensor(value));
    if (value instanceof Callable || value instanceof StorageType)
      throw new FileError(`it holds ${value.name} itself, which is no value.`);
    if (value instanceof Dict) return convertDict(value, depth);
    if (value instanceof Set) {
      const set = remember(value, new Set<PthValue>());
      for (const item of value) set.add(convert(item, depth + 1));
      return set;
    }
    const list = remember(value, [] as PthValue[]);
    for (const item of value as unknown[]) list.push(convert(item, depth + 1));
    return list;
  }

  function convertDict(dict: Dict, depth: number): PthValue {
    const entries = [...dict.items];
    if (entries.every(([key]) => typeof key === 'string')) {
      const object: { [key: string]: PthValue } = remember(dict, Object.create(null));
      for (const [key, item] of entries) object[key as string] = convert(item, depth + 1);
      return object;
    }
    const map = remember(dict, new Map<PthValue, PthValue>());
    for (const [key, item] of entries) map.set(convert(key, depth + 1), convert(item, depth + 1));
    return map;
  }

  function remember<T extends PthValue>(value: unknown, result: T): T {
    made.set(value, result);
    return result;
  }

  return convert(value, 0);
}

/** Every storage that a value refers to, once by key. */
export function storagesIn(value: unknown): Map<string, StorageReference> {
  const found = new Map<string, StorageReference>();
  const seen = new Set<unknown>();
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof StorageReference) addOnce(found, next);
    else if (next instanceof PlannedTensor) waiting.push(next.plan.storage);
    else if (next instanceof Dict) for (const pair of next.items) waiting.push(...pair);
    else if (Array.isArray(next) || next instanceof Set) for (const item of next) waiting.push(item);
  }
  return found;
}

function addOnce(found: Map<string, StorageReference>, storage: StorageReference): void {
  const known = found.get(storage.key);
  if (known && (known.bytes !== storage.bytes || known.dtype !== storage.dtype))
    throw new FileError(`storage '${storage.key}' is described twice, and differently.`);
  found.set(storage.key, storage);
}
