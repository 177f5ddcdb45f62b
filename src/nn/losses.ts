/** Losses as functions, with torch.nn.functional's shapes and defaults. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import * as kinds from './loss-options.js';
import { codeOf, type Reduction, reduce, reductionCodes } from './reduction.js';

export type { Reduction } from './reduction.js';

/** How the losses of the elements are reduced. */
export interface LossOptions {
  /** Default `mean`. */
  reduction?: Reduction;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** One weight per class. */
  weight?: Tensor;
  /** Targets with this value are ignored. Default -100. */
  ignoreIndex?: number;
  /** Default 0. */
  labelSmoothing?: number;
}

/** Cross-entropy of logits [N, K, ...] with class numbers int64 [N, ...], or with probabilities [N, K, ...]. */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkCall('crossEntropy', ['logits: tensor', 'target: tensor'], kinds.crossEntropy, arguments);
  const { weight = null, ignoreIndex = -100, reduction = 'mean', labelSmoothing = 0 } = options;
  return torch.crossEntropyLoss(logits, target, weight, codeOf(reduction), ignoreIndex, labelSmoothing);
}

/** Options of {@link nllLoss}. */
export interface NllOptions extends LossOptions {
  weight?: Tensor;
  /** Default -100. */
  ignoreIndex?: number;
}

/** Negative log-likelihood: log-probabilities [N, K, ...] at class numbers [N, ...]. */
export function nllLoss(input: Tensor, target: Tensor, options: NllOptions = {}): Tensor {
  checkCall('nllLoss', ['input: tensor', 'target: tensor'], kinds.nll, arguments);
  const { weight = null, ignoreIndex = -100, reduction = 'mean' } = options;
  return torch.nllLossNd(input, target, weight, codeOf(reduction), ignoreIndex);
}

/** Squared error; `mean` is over all elements. */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkCall('mseLoss', ['input: tensor', 'target: tensor'], kinds.plain, arguments);
  const { reduction = 'mean' } = options;
  return torch.mseLoss(input, target, codeOf(reduction));
}

/** Absolute error. */
export function l1Loss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkCall('l1Loss', ['input: tensor', 'target: tensor'], kinds.plain, arguments);
  const { reduction = 'mean' } = options;
  return torch.l1Loss(input, target, codeOf(reduction));
}

/** Squared error / (2 beta) below `beta`, absolute error - beta / 2 above. Default beta 1. */
export function smoothL1Loss(input: Tensor, target: Tensor, options: LossOptions & { beta?: number } = {}): Tensor {
  checkCall('smoothL1Loss', ['input: tensor', 'target: tensor'], kinds.smoothL1, arguments);
  const { reduction = 'mean', beta = 1 } = options;
  return torch.smoothL1Loss(input, target, codeOf(reduction), beta);
}

/** Half the squared error below `delta`, delta * (absolute error - delta / 2) above. Default delta 1. */
export function huberLoss(input: Tensor, target: Tensor, options: LossOptions & { delta?: number } = {}): Tensor {
  checkCall('huberLoss', ['input: tensor', 'target: tensor'], kinds.huber, arguments);
  const { reduction = 'mean', delta = 1 } = options;
  return torch.huberLoss(input, target, codeOf(reduction), delta);
}

/** Options of {@link klDiv}. */
export interface KlDivOptions {
  /**
   * `batchmean` divides the sum by N and is the mathematical divergence; `mean` divides by all elements. Default
   * `mean`, as in PyTorch.
   */
  reduction?: Reduction | 'batchmean';
  /** Whether `target` holds logarithms. Default false. */
  logTarget?: boolean;
}

/** Kullback-Leibler divergence KL(target || input), where `input` holds log-probabilities. */
export function klDiv(input: Tensor, target: Tensor, options: KlDivOptions = {}): Tensor {
  checkCall('klDiv', ['input: tensor', 'target: tensor'], kinds.klDiv, arguments);
  const { reduction = 'mean', logTarget = false } = options;
  if (reduction !== 'batchmean') return torch.klDiv(input, target, codeOf(reduction), { logTarget });
  return torch.klDiv(input, target, reductionCodes.sum, { logTarget }).div(input.shape[0] ?? 1);
}

/** Cross-entropy of probabilities in 0..1 with targets in 0..1. */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: LossOptions & { weight?: Tensor | null } = {},
): Tensor {
  checkCall('binaryCrossEntropy', ['input: tensor', 'target: tensor'], kinds.bce, arguments);
  const { reduction = 'mean', weight = null } = options;
  return torch.binaryCrossEntropy(input, target, weight, codeOf(reduction));
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BCEWithLogitsOptions extends LossOptions {
  weight?: Tensor | null;
  /** Weight of the positive targets. */
  posWeight?: Tensor | null;
}

/** {@link binaryCrossEntropy} of sigmoid(input), computed without overflow. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BCEWithLogitsOptions = {},
): Tensor {
  checkCall('binaryCrossEntropyWithLogits', ['input: tensor', 'target: tensor'], kinds.bceWithLogits, arguments);
  const { reduction = 'mean', weight = null, posWeight = null } = options;
  return torch.binaryCrossEntropyWithLogits(input, target, weight, posWeight, codeOf(reduction));
}

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllOptions extends LossOptions {
  /** Whether `input` holds logarithms. Default true. */
  logInput?: boolean;
  /** Adds Stirling's approximation. Default false. */
  full?: boolean;
  /** Added to the input before its logarithm. Default 1e-8. */
  eps?: number;
}

/** Negative log-likelihood of Poisson distributions whose rates, or their logarithms, are `input`. */
export function poissonNllLoss(input: Tensor, target: Tensor, options: PoissonNllOptions = {}): Tensor {
  checkCall('poissonNllLoss', ['input: tensor', 'target: tensor'], kinds.poissonNll, arguments);
  const { reduction = 'mean', logInput = true, full = false, eps = 1e-8 } = options;
  return torch.poissonNllLoss(input, target, logInput, full, eps, codeOf(reduction));
}

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllOptions extends LossOptions {
  /** Adds the constant term. Default false. */
  full?: boolean;
  /** Minimum variance. Default 1e-6. */
  eps?: number;
}

/** Negative log-likelihood of normal distributions with means `input` and variances `variance`. */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllOptions = {},
): Tensor {
  checkCall('gaussianNllLoss', ['input: tensor', 'target: tensor', 'variance: tensor'], kinds.gaussianNll, arguments);
  const { reduction = 'mean', full = false, eps = 1e-6 } = options;
  // The clamp bounds the value only, as in PyTorch: the gradient of the variance passes through it.
  const bounded = variance.add(variance.detach().clamp({ min: eps }).sub(variance.detach()));
  const loss = bounded.log().add(input.sub(target).square().div(bounded)).mul(0.5);
  return reduce(full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, reduction);
}

/** Options of losses with a margin; each loss documents its default. */
export interface MarginOptions extends LossOptions {
  margin?: number;
}

/** 1 - cos for pairs of label 1, max(0, cos - margin) for pairs of label -1. Default margin 0. */
export function cosineEmbeddingLoss(a: Tensor, b: Tensor, label: Tensor, options: MarginOptions = {}): Tensor {
  checkCall('cosineEmbeddingLoss', ['a: tensor', 'b: tensor', 'label: tensor'], kinds.margin, arguments);
  return torch.cosineEmbeddingLoss(a, b, label, options.margin ?? 0, codeOf(options.reduction ?? 'mean'));
}

/** max(0, -label (a - b) + margin). Default margin 0. */
export function marginRankingLoss(a: Tensor, b: Tensor, label: Tensor, options: MarginOptions = {}): Tensor {
  checkCall('marginRankingLoss', ['a: tensor', 'b: tensor', 'label: tensor'], kinds.margin, arguments);
  return torch.marginRankingLoss(a, b, label, options.margin ?? 0, codeOf(options.reduction ?? 'mean'));
}

/** The input for label 1, max(0, margin - input) for label -1. Default margin 1. */
export function hingeEmbeddingLoss(input: Tensor, label: Tensor, options: MarginOptions = {}): Tensor {
  checkCall('hingeEmbeddingLoss', ['input: tensor', 'label: tensor'], kinds.margin, arguments);
  return torch.hingeEmbeddingLoss(input, label, options.margin ?? 1, codeOf(options.reduction ?? 'mean'));
}

/** log(1 + exp(-label input)), labels 1 and -1. */
export function softMarginLoss(input: Tensor, label: Tensor, options: LossOptions = {}): Tensor {
  checkCall('softMarginLoss', ['input: tensor', 'label: tensor'], kinds.plain, arguments);
  const { reduction = 'mean' } = options;
  return torch.softMarginLoss(input, label, codeOf(reduction));
}

/** Options of {@link tripletMarginLoss}. */
export interface TripletMarginOptions extends MarginOptions {
  /** The norm. Default 2. */
  p?: number;
  /** Default 1e-6. */
  eps?: number;
  /** Uses the smaller of the negative's distances to anchor and positive. Default false. */
  swap?: boolean;
}

/** max(0, |anchor - positive| - |anchor - negative| + margin). Default margin 1. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletMarginOptions = {},
): Tensor {
  checkCall(
    'tripletMarginLoss',
    ['anchor: tensor', 'positive: tensor', 'negative: tensor'],
    kinds.tripletMargin,
    arguments,
  );
  const { margin = 1, p = 2, eps = 1e-6, swap = false, reduction = 'mean' } = options;
  return torch.tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, codeOf(reduction));
}

/** Options of {@link ctcLoss}. */
export interface CtcOptions extends LossOptions {
  /** Number of the blank class. Default 0. */
  blank?: number;
  /** Sets infinite losses to zero. Default false. */
  zeroInfinity?: boolean;
}

/** Connectionist temporal classification: log-probabilities [T, N, K], targets [N, S], and the lengths of both. */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor,
  targetLengths: Tensor,
  options: CtcOptions = {},
): Tensor {
  checkCall(
    'ctcLoss',
    ['logProbs: tensor', 'targets: tensor', 'inputLengths: tensor', 'targetLengths: tensor'],
    kinds.ctc,
    arguments,
  );
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options;
  return torch.ctcLoss(logProbs, targets, inputLengths, targetLengths, blank, codeOf(reduction), zeroInfinity);
}
