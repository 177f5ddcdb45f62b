import { FileError } from '../../errors.js';
import { Complex, Tensor } from '../../tensor/index.js';
import {
  Callable,
  Dict,
  deepest,
  Opaque,
  PlannedTensor,
  StorageReference,
  StorageType,
  UnknownName,
} from './values.js';

/** The content of a torch.save file: dicts with text keys are objects without a prototype, other dicts are Maps. */
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
  | PthObject
  | { [key: string]: PthValue };

/** An object of an unsupported Python class, as data: the class was never imported or run. */
export class PthObject {
  /** The argument of `__setstate__`, or the content of `__dict__`. */
  state: PthValue = null;
  /** The items, if the class is a dict. */
  items: PthValue = null;
  /** The elements, if the class is a list. */
  list: PthValue[] = [];
  args: PthValue[] = [];

  /** @param type module and name of the class, such as `argparse.Namespace` */
  constructor(readonly type: string) {}

  /** Lets scopes find the tensors in it; objects may refer to each other in cycles. */
  *heldTensors(): Generator<Tensor> {
    const seen = new Set<unknown>();
    const waiting: unknown[] = [this];
    while (waiting.length > 0) {
      const value = waiting.pop();
      if (typeof value !== 'object' || value === null || value instanceof Uint8Array || seen.has(value)) continue;
      seen.add(value);
      if (value instanceof Tensor) yield value;
      else if (value instanceof Map) for (const pair of value) waiting.push(...pair);
      else if (value instanceof Set) for (const item of value) waiting.push(item);
      else for (const item of Object.values(value)) waiting.push(item);
    }
  }
}

/** Converts unpickled values to JavaScript values and preserves object identity. */
export function toPlain(
  value: unknown,
  makeTensor: (tensor: PlannedTensor | StorageReference) => Tensor,
  { opaque = false }: { opaque?: boolean } = {},
): PthValue {
  const made = new Map<unknown, PthValue>();

  function convert(value: unknown, depth: number): PthValue {
    if (typeof value !== 'object' || value === null) return value as PthValue;
    if (value instanceof Complex || value instanceof Uint8Array || value instanceof Tensor) return value;
    const known = made.get(value);
    if (known !== undefined) return known;
    if (depth > deepest) throw new FileError(`its containers nest deeper than ${deepest}.`);
    if (value instanceof PlannedTensor || value instanceof StorageReference) return remember(value, makeTensor(value));
    if (value instanceof UnknownName) return remember(value, new PthObject(value.name));
    if (value instanceof Opaque) return convertObject(value, depth);
    if (opaque && (value instanceof Callable || value instanceof StorageType))
      return remember(value, new PthObject(value.name));
    if (value instanceof Callable || value instanceof StorageType)
      throw new FileError(`it holds ${value.name} itself, which is not a value.`);
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

  function convertObject(value: Opaque, depth: number): PthValue {
    const { type, args, state, items, list } = value;
    const object = remember(value, new PthObject(type));
    object.args = convert(args, depth + 1) as PthValue[];
    object.state = convert(state, depth + 1);
    object.items = items.items.size > 0 ? convertDict(items, depth + 1) : null;
    object.list = list.map((item) => convert(item, depth + 1));
    return object;
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
