/**
 * The equations of "Knowledge Distillation via Softmax Regression Representation Learning" (Yang, Martinez, Bulat,
 * Tzimiropoulos, ICLR 2021), numbered as there.
 *
 *   h_T, h_S  penultimate features [N, C_T], [N, C_S]     r    the connector, C_S -> C_T
 *   W_T       the teacher's own frozen classifier         s    softmax with temperature
 *   z_T = W_T h_T    z_S = W_S h_S    z~_S = W_T r(h_S)   [N, K]
 *
 * All means are over batch and coordinates, as in the authors' code; the paper's squared norm in (1) is C_T times as
 * large.
 */
import { checkCall } from '../call.js';
import { functional as F } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';

/** (1)  L_FM = || h_T - r(h_S) ||^2 */
export function featureMatchingLoss(hT: Tensor, rhS: Tensor): Tensor {
  checkCall('featureMatchingLoss', ['hT', 'rhS'], undefined, arguments);
  return F.mseLoss(rhS, hT);
}

/**
 * Cross-entropy of two softmax distributions with a temperature: - s(z_T / tau) . log s(z / tau), mean over the batch.
 */
function softCrossEntropy(zT: Tensor, z: Tensor, temperature: number): Tensor {
  const target = F.softmax(zT.div(temperature), 1);
  return target
    .mul(F.logSoftmax(z.div(temperature), 1))
    .sum(1)
    .mean()
    .neg();
}

/**
 * (2), (3)  L_SR = - p . log q with p = s(W_T h_T), q = s(W_T r(h_S)). The paper writes this cross-entropy twice: (2)
 * with the logits, (3) with W_T and the features.
 */
export function softmaxRegressionLoss(zT: Tensor, zTildeS: Tensor, temperature = 1): Tensor {
  checkCall('softmaxRegressionLoss', ['zT', 'zTildeS', 'temperature'], undefined, arguments);
  return softCrossEntropy(zT, zTildeS, temperature);
}

/** The variant of L_SR in the authors' code, || W_T h_T - W_T r(h_S) ||^2. It has no number in the paper. */
export function softmaxRegressionLossL2(zT: Tensor, zTildeS: Tensor): Tensor {
  checkCall('softmaxRegressionLossL2', ['zT', 'zTildeS'], undefined, arguments);
  return F.mseLoss(zTildeS, zT);
}

/**
 * (4)  L_KD = - s(W_T h_T) . log s(W_S h_S), classic distillation, which trains the student's own classifier as well
 */
export function distillationLoss(zT: Tensor, zS: Tensor, temperature = 1): Tensor {
  checkCall('distillationLoss', ['zT', 'zS', 'temperature'], undefined, arguments);
  return softCrossEntropy(zT, zS, temperature);
}

/** (5)  L = L_CE + alpha L_FM + beta L_SR */
export function totalLoss(lCE: Tensor, lFM: Tensor, lSR: Tensor, alpha = 1, beta = 1): Tensor {
  checkCall('totalLoss', ['lCE', 'lFM', 'lSR', 'alpha', 'beta'], undefined, arguments);
  return lCE.add(lFM, { alpha }).add(lSR, { alpha: beta });
}
