/** Wraps the raw results of an operator as tensors with owners. */
import { native } from '../native.js';
import { camelCase } from './names.js';
import type { Overload } from './operators.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

function wrapOne(type: string, raw: unknown): unknown {
  if (raw === null || !type.startsWith('Tensor')) return raw;
  return Array.isArray(raw) ? raw.map((item) => wrapOne('Tensor', item)) : owned(new Tensor(raw as number));
}

/**
 * Returns the results of a call: a single one by itself, several as an array with named entries, in-place results as
 * the caller's own objects.
 */
export function wrapAll(overload: Overload, raw: unknown, values: unknown[]): unknown {
  const { results } = overload.schema;
  const { written } = overload;
  if (written.length > 0) {
    // In place: the caller's own objects are the results, so the new handles to them are released.
    const changed = written.map((i) => values[i]);
    native().release(...((written.length === 1 ? [raw] : raw) as number[]).flat());
    return changed.length === 1 ? changed[0] : changed;
  }
  const [first] = results;
  if (results.length === 0 || first === undefined) return undefined;
  if (results.length === 1) return wrapOne(first.type, raw);
  const items = (raw as unknown[]).map((item, i) => wrapOne(results[i]?.type ?? '', item));
  for (const [i, { name }] of results.entries()) {
    if (name) Object.defineProperty(items, camelCase(name), { value: items[i], enumerable: false });
  }
  return items;
}
