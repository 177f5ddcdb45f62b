/** The options of all losses, for functions and modules alike. */
import type { Kinds } from '../call.js';
import type * as F from './losses.js';

const reduction = ['none', 'mean', 'sum'] as const;

export const plain: Kinds<F.LossOptions> = { reduction };
export const crossEntropy: Kinds<F.CrossEntropyOptions> = {
  weight: 'any',
  ignoreIndex: 'number',
  reduction,
  labelSmoothing: 'number',
};
export const nll: Kinds<F.NllOptions> = { weight: 'any', ignoreIndex: 'number', reduction };
export const smoothL1: Kinds<F.LossOptions & { beta?: number }> = { reduction, beta: 'number' };
export const huber: Kinds<F.LossOptions & { delta?: number }> = { reduction, delta: 'number' };
export const klDiv: Kinds<F.KlDivOptions> = { reduction: [...reduction, 'batchmean'], logTarget: 'boolean' };
export const bce: Kinds<F.LossOptions & { weight?: unknown }> = { weight: 'any', reduction };
export const bceWithLogits: Kinds<F.BCEWithLogitsOptions> = { weight: 'any', reduction, posWeight: 'any' };
export const poissonNll: Kinds<F.PoissonNllOptions> = {
  logInput: 'boolean',
  full: 'boolean',
  eps: 'number',
  reduction,
};
export const gaussianNll: Kinds<F.GaussianNllOptions> = { full: 'boolean', eps: 'number', reduction };
export const margin: Kinds<F.MarginOptions> = { margin: 'number', reduction };
export const tripletMargin: Kinds<F.TripletMarginOptions> = {
  margin: 'number',
  p: 'number',
  eps: 'number',
  swap: 'boolean',
  reduction,
};
export const ctc: Kinds<F.CtcOptions> = { blank: 'number', reduction, zeroInfinity: 'boolean' };
