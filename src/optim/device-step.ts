import { callOverload, overloadOf, type Tensor, type TensorList } from '../tensor/index.js';

/**
 * What a step takes from the device instead of the host, so that it can be captured: nothing in it is asked for or
 * waited for.
 */
export interface DeviceStep {
  /** Learning rate of each group, float32 []. */
  lr: readonly Tensor[];
  /** float32 []: where it is 1, the step changes nothing. */
  foundInf: Tensor;
  /** float32 []: what gradients are multiplied by before. Only for optimizers that have {@link Optimizer.endsStep}. */
  scale?: Tensor;
  /** Averages that move by `share`, float32 [], toward the new values. Only for those as well. */
  average?: { share: Tensor; of: (param: Tensor) => Tensor | undefined };
  /** A parameter's copy in bfloat16, which takes over the new values. Only for those as well. */
  half?: (param: Tensor) => Tensor | undefined;
}

/** What a fused operator takes of it for one group. @internal */
export const ofGroup = ({ lr, foundInf }: DeviceStep, index: number): { lr: Tensor; foundInf: Tensor } => ({
  lr: lr[index] as Tensor,
  foundInf,
});

export interface EndOfStep {
  members: readonly Tensor[];
  /** Parameters, gradients and what is kept for each, as the operator takes them. */
  lists: readonly (TensorList | readonly Tensor[])[];
  /** Which group of the optimizer. */
  index: number;
  numbers: readonly (number | boolean)[];
}

/**
 * Updates the parameters of a group by the package's operator of that name, which also scales gradients, moves averages
 * and writes copies in half precision: one kernel where the device has it.
 */
export function endStep(name: 'adam_' | 'sgd_', { members, lists, index, numbers }: EndOfStep, step: DeviceStep): void {
  const { scale, average, half } = step;
  const { lr, foundInf } = ofGroup(step, index);
  const averages = average ? members.map((param) => average.of(param) ?? null) : [];
  const halves = half ? members.map((param) => half(param) ?? null) : [];
  const factors = [lr, foundInf, scale ?? null, average?.share ?? null];
  callOverload(overloadOf(`srrl::${name}`), [...lists, averages, halves, ...factors, ...numbers]);
}
