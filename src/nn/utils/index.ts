/** Helpers for gradients, parameters and sequences, as torch.nn.utils. */
export {
  type ClipGradNormOptions,
  clipGradNorm_,
  clipGradsWithNorm_,
  clipGradValue_,
  getTotalNorm,
} from '../../tensor/index.js';
export * as parametrizations from './parametrizations.js';
export type { Parametrization } from './parametrize.js';
export * as parametrize from './parametrize.js';
export * as rnn from './rnn.js';
export { updateBn } from './update-bn.js';
export { parametersToVector, vectorToParameters } from './vector.js';
