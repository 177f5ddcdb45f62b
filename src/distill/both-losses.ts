import type { Features } from '../flow.js';
import { callOverload, overloadOf, type Tensor } from '../tensor/index.js';
import { featureMatchingLoss, softmaxRegressionLossL2 } from './losses.js';
import type { TeacherContract } from './method.js';

/**
 * Returns L_FM and L_SR (squared error of the logits) of r(h_S), [N, C_T]. On a device with the package's kernels, one
 * launch computes both with their gradients.
 */
export function bothLosses(targets: Features, rhS: Tensor, teacher: TeacherContract): { fm: Tensor; sr: Tensor } {
  if (rhS.device === 'cpu') {
    // Not under noGrad: the classifier's weights are frozen, but the gradient passes through them.
    const sr = softmaxRegressionLossL2(targets.logits, teacher.classify(rhS));
    return { fm: featureMatchingLoss(targets.pooled, rhS), sr };
  }
  const tensors = [rhS, targets.pooled, targets.logits, teacher.weight, teacher.bias];
  const [fm, sr] = callOverload(overloadOf('srrl::regression_losses'), tensors) as [Tensor, Tensor];
  return { fm, sr };
}
