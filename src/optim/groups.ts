/** Groups of parameters with options of their own. */
import { checkCall, checkOptions, type Kinds } from '../call.js';
import type { Tensor } from '../tensor/index.js';

/** Parameters with options of their own, instead of the optimizer's. */
export type ParameterGroup<Options> = { params: Iterable<Tensor> } & Partial<Options>;

/**
 * A group with all its options, and its parameters as an array; `initialLr` is set by the first schedule that it gets.
 */
export type Group<Options> = Options & { params: Tensor[]; initialLr?: number };

/** The groups that an optimizer receives: parameters alone are one group. */
export function groupsOf<Options>(
  name: string,
  params: Iterable<Tensor> | Iterable<ParameterGroup<Options>>,
  kinds: Kinds<Options> | undefined,
): ParameterGroup<Options>[] {
  checkCall(name, ['params: iterable'], undefined, [params]);
  const given = [...(params as Iterable<Tensor | ParameterGroup<Options>>)];
  for (const item of given) checkCall(name, ['parameter: object'], undefined, [item]);
  if (!given.some((item) => 'params' in item))
    return [{ params: given as Tensor[] } as unknown as ParameterGroup<Options>];
  if (kinds) for (const group of given) checkOptionsOfGroup(name, group, kinds);
  return given as ParameterGroup<Options>[];
}

/** Checks a group's options; it may also have a name and the initial learning rate set by a schedule. */
export function checkOptionsOfGroup(name: string, group: object, kinds: Kinds<object>): void {
  checkOptions(
    `${name}, a group of parameters`,
    { ...kinds, params: 'any', name: 'string', initialLr: 'number' },
    group,
  );
  checkCall(`${name}, a group of parameters`, ['params: iterable'], undefined, [
    (group as { params?: unknown }).params,
  ]);
}
