/** What an optimizer keeps for its parameters. */
import { noGrad, scope, type Tensor, functions as torch } from '../tensor/index.js';

/** What an optimizer keeps for one parameter: tensors and numbers, by name. */
export type ParameterState = Record<string, Tensor | number>;

/** State of an optimizer, for checkpoints; parameters are numbered as in the groups. */
export interface OptimizerState<Options> {
  state: Record<string, ParameterState>;
  paramGroups: (Options & { params: number[]; initialLr?: number })[];
}

/** State that is one number for a parameter. */
const isNumber = (name: string): boolean => name === 'step' || name === 'mu_product';

/** What a parameter's state begins with. */
export function initialState(param: Tensor, name: string, value = 0): Tensor {
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
