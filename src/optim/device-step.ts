import { callOverload, overloadOf, type Tensor, type TensorList } from '../tensor/index.js';

/**
 * Inputs of a step that are on the device instead of the host, so that the step can be captured: the host never reads
 * them or waits for them.
 */
export interface DeviceStep {
  /** Learning rate of each group, float32 []. */
  lr: readonly Tensor[];
  /** float32 []: if it is 1, the step changes nothing. */
  foundInf: Tensor;
  /** float32 []: a factor for the gradients before the step. Only for optimizers with {@link Optimizer.endsStep}. */
  scale?: Tensor;
  /** Averages that move by `share`, float32 [], toward the new values. Only for the same optimizers. */
  average?: { share: Tensor; of: (param: Tensor) => Tensor | undefined };
  /** A parameter's copy in bfloat16, which receives the new values. Only for the same optimizers. */
  half?: (param: Tensor) => Tensor | undefined;
}

/** Returns the inputs of a fused operator for one group. @internal */
export const ofGroup = ({ lr, foundInf }: DeviceStep, index: number): { lr: Tensor; foundInf: Tensor } => ({
  lr: lr[index] as Tensor,
  foundInf,
});

export interface EndOfStep {
  members: readonly Tensor[];
  /** Parameters, gradients and state tensors, in the operator's order. */
  lists: readonly (TensorList | readonly Tensor[])[];
  /** Index of the group in the optimizer. */
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
