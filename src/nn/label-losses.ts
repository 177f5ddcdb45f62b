/** Margin losses over many classes, and losses for inputs with several labels. */
import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import type { LossOptions } from './losses.js';
import { Module } from './module.js';
import { codeOf, type Reduction, reduce } from './reduction.js';

const reduction = ['none', 'mean', 'sum'] as const;

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginOptions extends LossOptions {
  /** 1 or 2: the exponent. Default 1. */
  p?: 1 | 2;
  /** Default 1. */
  margin?: number;
  /** A weight for each class. */
  weight?: Tensor | null;
}

/** Options of {@link multilabelSoftMarginLoss}. */
export interface MultilabelSoftMarginOptions extends LossOptions {
  /** A weight for each class. */
  weight?: Tensor | null;
}

const plainKinds: Kinds<LossOptions> = { reduction };
const marginKinds: Kinds<MultiMarginOptions> = { p: 'any', margin: 'number', weight: 'any', reduction };
const softKinds: Kinds<MultilabelSoftMarginOptions> = { weight: 'any', reduction };

/** Mean over the wrong classes i of max(0, margin - x[y] + x[i])^p: scores [N, K] and class numbers [N]. */
export function multiMarginLoss(input: Tensor, target: Tensor, options: MultiMarginOptions = {}): Tensor {
  checkCall('multiMarginLoss', ['input: tensor', 'target: tensor'], marginKinds, arguments);
  const { p = 1, margin = 1, weight = null, reduction = 'mean' } = options;
  return torch.multiMarginLoss(input, target, p, margin, weight, codeOf(reduction));
}

/** Multi-label margin loss of scores [N, K] and class numbers [N, K], counted up to the first -1. */
export function multilabelMarginLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkCall('multilabelMarginLoss', ['input: tensor', 'target: tensor'], plainKinds, arguments);
  return torch.multilabelMarginLoss(input, target, codeOf(options.reduction ?? 'mean'));
}

/** Binary cross-entropy of each class, averaged over the classes: scores [N, K] and 0 or 1 [N, K]. */
export function multilabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  options: MultilabelSoftMarginOptions = {},
): Tensor {
  checkCall('multilabelSoftMarginLoss', ['input: tensor', 'target: tensor'], softKinds, arguments);
  const { weight = null, reduction = 'mean' } = options;
  const yes = target.mul(torch.logSigmoid(input));
  const no = target.rsub(1).mul(torch.logSigmoid(input.neg()));
  const terms = yes.add(no).neg();
  return reduce((weight ? terms.mul(weight) : terms).mean([-1]), reduction);
}

/** Module of `functional.multiMarginLoss`. */
export class MultiMarginLoss extends Module {
  declare weight: Tensor;
  readonly options: Omit<MultiMarginOptions, 'weight'>;

  constructor(options: MultiMarginOptions = {}) {
    checkCall('new nn.MultiMarginLoss', [], marginKinds, arguments);
    super();
    const { weight, ...others } = options;
    this.options = others;
    if (weight) this.registerBuffer('weight', weight);
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return multiMarginLoss(input, target, { ...this.options, weight: this.weight ?? null });
  }
}

/** Module of `functional.multilabelMarginLoss`. */
export class MultiLabelMarginLoss extends Module {
  constructor(readonly options: { reduction?: Reduction } = {}) {
    checkCall('new nn.MultiLabelMarginLoss', [], plainKinds, arguments);
    super();
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return multilabelMarginLoss(input, target, this.options);
  }
}

/** Module of `functional.multilabelSoftMarginLoss`. */
export class MultiLabelSoftMarginLoss extends Module {
  declare weight: Tensor;
  readonly options: LossOptions;

  constructor(options: MultilabelSoftMarginOptions = {}) {
    checkCall('new nn.MultiLabelSoftMarginLoss', [], softKinds, arguments);
    super();
    const { weight, ...others } = options;
    this.options = others;
    if (weight) this.registerBuffer('weight', weight);
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return multilabelSoftMarginLoss(input, target, { ...this.options, weight: this.weight ?? null });
  }
}
