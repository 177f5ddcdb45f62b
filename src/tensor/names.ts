/** Conversion of PyTorch's snake_case names to camelCase. */

/**
 * `batch_norm` -> `batchNorm`; leading and trailing underscores stay, as in `add_` and `_foreach_add_` ->
 * `_foreachAdd_`.
 */
export function camelCase(name: string): string {
  const [, before = '', middle = '', after = ''] = name.match(/^(_*)(.*?)(_*)$/) ?? [];
  return before + middle.replace(/_+([a-zA-Z0-9])/g, (_all, letter: string) => letter.toUpperCase()) + after;
}
