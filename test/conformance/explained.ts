export interface Explanation {
  /** Which difference it explains; another one of the same operator stays unexplained. */
  difference: RegExp;
  reason: string;
}

/** By full name, the operators whose calls may differ from the recording. */
export type Explanations = Record<string, Explanation>;

const reason =
  "One recorded call gives a number where the schema has a tensor, which PyTorch's Python front end wraps into one; " +
  '`dispatch` of a full name takes what the schema says. The calls with tensors match.';

const numberForTensor: Explanation = { difference: /does not take \(Tensor, (Float|-?[\d.]+)[,)]/, reason };

export const explained: Explanations = {
  'aten::subtract.Tensor': numberForTensor,
  'aten::subtract.out': numberForTensor,
  'aten::subtract_.Tensor': numberForTensor,
};
