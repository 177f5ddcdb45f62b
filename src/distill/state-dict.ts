/** Finds a model's weights in the content of a file: checkpoints wrap them in many ways. */
import { PthObject } from '../files/index.js';
import type { StateDict } from '../nn/index.js';
import { Tensor } from '../tensor/index.js';

/** Where training programs keep their weights, the likeliest first. */
export const usualKeys = [
  'state_dict',
  'model_state_dict',
  'model',
  'net',
  'network',
  'weights',
  'params',
  'state_dict_ema',
  'model_ema',
  'ema_state_dict',
  'params_ema',
  'ema',
];

/** Wrappers that stand anywhere in a name: torch.compile, checkpointing, FSDP. */
const wrappers = /(^|\.)(?:(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module)\.)+/g;
const deepest = 4;

/**
 * Returns every dict of named tensors in a value, those under the usual keys first; also weights of pickled modules.
 */
export function stateDictsIn(content: unknown): StateDict[] {
  const found: StateDict[] = [];
  const seen = new Set<unknown>();
  let level = [content];
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const inner: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null || value instanceof Tensor || seen.has(value)) continue;
      seen.add(value);
      const entries = entriesOf(value);
      const tensors = entries.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
      const module = value instanceof PthObject ? moduleState(value) : {};
      if (Object.keys(module).length > 0) found.push(module);
      else if (tensors.length > 0) found.push(withoutPrototype(tensors));
      const rank = ([key]: [string, unknown]) => {
        const place = usualKeys.indexOf(key);
        return place < 0 ? usualKeys.length : place;
      };
      inner.push(...entries.toSorted((a, b) => rank(a) - rank(b)).map(([, item]) => item));
    }
    level = inner;
  }
  return found;
}

const withoutPrototype = (entries: Iterable<readonly [string, Tensor]>): StateDict =>
  Object.assign(Object.create(null), Object.fromEntries(entries));

/** Returns the entries with string keys of a dict, or of an object that is or holds a dict. */
function entriesOf(value: object): [string, unknown][] {
  if (value instanceof Map)
    return [...value].filter((entry): entry is [string, unknown] => typeof entry[0] === 'string');
  if (value instanceof PthObject)
    return [value.items, value.state].flatMap((part) => (isDict(part) ? entriesOf(part) : []));
  return Array.isArray(value) || value instanceof Set ? [] : Object.entries(value);
}

const isDict = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Tensor);

/** Returns parameters and buffers of a pickled module, by name. */
function moduleState(module: PthObject, prefix = '', depth = 0): StateDict {
  const state: StateDict = Object.create(null);
  const parts = isDict(module.state) ? new Map(entriesOf(module.state)) : new Map<string, unknown>();
  if (depth > 100 || !parts.has('_modules')) return state;
  for (const kind of ['_parameters', '_buffers']) {
    const tensors = parts.get(kind);
    if (!isDict(tensors)) continue;
    for (const [name, tensor] of entriesOf(tensors)) if (tensor instanceof Tensor) state[prefix + name] = tensor;
  }
  const children = parts.get('_modules');
  if (!isDict(children)) return state;
  for (const [name, child] of entriesOf(children))
    if (child instanceof PthObject) Object.assign(state, moduleState(child, `${prefix}${name}.`, depth + 1));
  return state;
}

/** Removes from the names what torch.compile and other wrappers insert. */
export function unwrapped(state: StateDict): StateDict {
  return withoutPrototype(Object.entries(state).map(([name, tensor]) => [name.replace(wrappers, '$1'), tensor]));
}

/**
 * The state dict by the names of a model: without the prefix under which the file has them (`module.`, `model.`,
 * `student.`), which is told by the name `anchor` of one of the model's weights. Undefined where the file does not have
 * it.
 */
export function byNamesOf(anchor: string, state: StateDict): StateDict | undefined {
  const plain = unwrapped(state);
  const prefix = Object.keys(plain)
    .filter((name) => name === anchor || name.endsWith(`.${anchor}`))
    .map((name) => name.slice(0, name.length - anchor.length))
    .toSorted((a, b) => a.length - b.length)[0];
  if (prefix === undefined) return undefined;
  const own = Object.entries(plain).filter(([name]) => name.startsWith(prefix));
  return withoutPrototype(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
