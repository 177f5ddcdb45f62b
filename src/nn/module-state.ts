/** State dicts of modules, and their parts by path. */
import { checkCall } from '../call.js';
import { ArgumentError, ConfigError, ShapeError } from '../errors.js';
import { nearest } from '../suggest.js';
import { noGrad, Tensor } from '../tensor/index.js';
import type { Module } from './module.js';

/** Tensors by their names in PyTorch. */
export type StateDict = Record<string, Tensor>;

/** Names that are only in a module or only in a state dict. */
export interface LoadReport {
  /** Names in the module that the state dict lacks. */
  missingKeys: string[];
  /** Names in the state dict that the module lacks. */
  unexpectedKeys: string[];
}

/** Copies a state dict into a module; see {@link Module.loadStateDict}. */
export function loadInto(module: Module, state: StateDict, strict: boolean): LoadReport {
  const own = new Map<string, Tensor>([...module.namedParameters(), ...module.namedBuffers()]);
  // Old state dicts and those of other tools have no batch counters; PyTorch's strict load accepts them too.
  const missingKeys = [...own.keys()].filter(
    (name) => !Object.hasOwn(state, name) && !/(^|\.)num_batches_tracked$/.test(name),
  );
  const unexpectedKeys = Object.keys(state).filter((name) => !own.has(name));
  if (strict && missingKeys.length + unexpectedKeys.length > 0) {
    throw new ConfigError(
      `The state dict does not fit ${module.constructor.name}: missing ${listed(missingKeys)}; unexpected ${listed(unexpectedKeys)}.`,
    );
  }
  const pairs = [...own].flatMap(([name, target]) => (state[name] ? [{ name, target, source: state[name] }] : []));
  for (const { name, target, source } of pairs) {
    if (!(source instanceof Tensor)) throw new ArgumentError(`'${name}' is not a tensor in the state dict.`);
    if (target.shape.join() !== source.shape.join()) {
      throw new ShapeError(
        `'${name}' has shape [${source.shape}] in the state dict and [${target.shape}] in ${module.constructor.name}.`,
      );
    }
  }
  noGrad(() => {
    for (const { target, source } of pairs) target.copy_(source);
  });
  return { missingKeys, unexpectedKeys };
}

/** The part of a module with this path. Throws ArgumentError if there is none. */
export function found<T>(module: Module, kind: string, path: string, named: Iterable<[string, T]>): T {
  checkCall(`Module.get`, ['path: text'], undefined, [path]);
  const all = new Map(named);
  const item = all.get(path);
  if (item !== undefined) return item;
  const meant = nearest(path, [...all.keys()]);
  const hint = meant.length > 0 ? ` Did you mean ${meant.join(' or ')}?` : '';
  throw new ArgumentError(`${module.constructor.name} has no ${kind} '${path}'.${hint}`);
}

function listed(names: string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
