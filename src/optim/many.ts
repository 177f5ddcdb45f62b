/** Operators over many tensors at once, by one kernel where the device has it. */
import { callOverload, overloadOf, type Tensor, type TensorList } from '../tensor/index.js';

type Tensors = readonly Tensor[] | TensorList;

/** Copies tensors; with `where`, float32 of one element, only if that is above 0. The host does not wait. */
export function copyAll_(to: Tensors, from: Tensors, where?: Tensor): void {
  callOverload(overloadOf('srrl::copy_all_'), [to, from, where ?? null]);
}
