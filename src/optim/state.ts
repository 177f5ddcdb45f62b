/** What an optimizer keeps for its parameters. */
import { checkCall } from '../call.js';
import { ConfigError } from '../errors.js';
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/** What an optimizer keeps for one parameter: tensors and numbers, by name. */
export type ParameterState = Record<string, Tensor | number>;

/** State of an optimizer, for checkpoints; parameters are numbered as in the groups. */
export interface OptimizerState<Options> {
  state: Record<string, ParameterState>;
  paramGroups: (Options & { params: number[]; initialLr?: number })[];
}

/** State that is one number for a parameter. */
const isNumber = (name: string): boolean => ['step', 'mu_product', 'eta', 'mu'].includes(name);

/** What a parameter's state begins with. */
export function initialState(param: Tensor, name: string, value: number | ((param: Tensor) => Tensor) = 0): Tensor {
  if (typeof value === 'function') return value(param);
  return isNumber(name)
    ? torch.full([], value, { dtype: 'float32', device: param.device })
    : torch.fullLike(param, value);
}

/** In the parameter's own layout: the fused operators walk through both as they lie in memory. */
export function copyFor(param: Tensor, name: string, value: Tensor): Tensor {
  return scope(() => {
    if (isNumber(name)) return value.detach().to({ device: param.device, copy: true });
    const sameShape = value.shape.join() === param.shape.join();
    const copy = sameShape
      ? torch.zerosLike(param)
      : torch.zeros(value.shape, { dtype: param.dtype, device: param.device });
    return noGrad(() => copy.copy_(value));
  });
}

/** Throws ConfigError where saved groups or their sizes differ from these, or the state names an unknown parameter. */
export function checkFits({ state, paramGroups }: OptimizerState<unknown>, groups: { params: Tensor[] }[]): void {
  checkCall('loadStateDict', ['paramGroups: list'], undefined, [paramGroups]);
  const sizes = (groups: { params: unknown[] }[]) => groups.map((group) => group.params.length).join();
  if (sizes(paramGroups) !== sizes(groups)) {
    throw new ConfigError(
      `The optimizer state has groups of ${sizes(paramGroups)} parameters, the optimizer of ${sizes(groups)}.`,
    );
  }
  const count = groups.reduce((sum, { params }) => sum + params.length, 0);
  const stranger = Object.keys(state).find((number) => !(Number(number) >= 0 && Number(number) < count));
  if (stranger !== undefined) {
    throw new ConfigError(
      `The optimizer state names parameter ${stranger}, the optimizer has ${count}, counted from 0.`,
    );
  }
}
