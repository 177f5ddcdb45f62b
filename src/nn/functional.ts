/** Pure functions, as torch.nn.functional: shapes and defaults are PyTorch's. */
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';

/** How a loss over many elements becomes one number; `none` keeps the elements. */
export type Reduction = 'none' | 'mean' | 'sum';

const reductions: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

function reductionCode(reduction: Reduction): number {
  const code = reductions[reduction];
  if (code === undefined) throw new ConfigError(`reduction must be 'none', 'mean' or 'sum', not '${reduction}'.`);
  return code;
}

export const relu = (x: Tensor): Tensor => torch.relu(x);
export const linear = (x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor => torch.linear(x, weight, bias);
export const softmax = (x: Tensor, dim: number): Tensor => torch.softmax(x, dim);
export const logSoftmax = (x: Tensor, dim: number): Tensor => torch.logSoftmax(x, dim);
export const dropout = (x: Tensor, p = 0.5, training = true): Tensor => torch.dropout(x, p, training);

/** Mean over height and width: [N, C, H, W] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => torch.mean(x, [2, 3]);

export interface CrossEntropyOptions {
  /** One weight a class. */
  weight?: Tensor;
  /** Targets of this value do not count. Default -100. */
  ignoreIndex?: number;
  /** Default `mean`. */
  reduction?: Reduction;
  /** Default 0. */
  labelSmoothing?: number;
}

/** Cross-entropy of logits [N, K] with class numbers int64 [N], or with probabilities [N, K]. */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight = null, ignoreIndex = -100, reduction = 'mean', labelSmoothing = 0 } = options;
  return torch.crossEntropyLoss(logits, target, weight, reductionCode(reduction), ignoreIndex, labelSmoothing);
}

/** Squared error; `mean` is over all elements. */
export function mseLoss(input: Tensor, target: Tensor, { reduction = 'mean' }: { reduction?: Reduction } = {}): Tensor {
  return torch.mseLoss(input, target, reductionCode(reduction));
}

export interface KlDivOptions {
  /** `batchmean` divides the sum by N and is the mathematical divergence; `mean` divides by all elements. Default `batchmean`. */
  reduction?: Reduction | 'batchmean';
  /** Whether `target` holds logarithms. Default false. */
  logTarget?: boolean;
}

/** Kullback-Leibler divergence KL(target || input), where `input` holds logarithms of probabilities. */
export function klDiv(
  input: Tensor,
  target: Tensor,
  { reduction = 'batchmean', logTarget = false }: KlDivOptions = {},
): Tensor {
  if (reduction !== 'batchmean') return torch.klDiv(input, target, reductionCode(reduction), { logTarget });
  return torch.klDiv(input, target, reductionCode('sum'), { logTarget }).div(input.shape[0] ?? 1);
}
