/** Losses as modules; the functions are in losses.ts. */
import { checkCall, type Kind } from '../call.js';
import type { Tensor } from '../tensor/index.js';
import * as kinds from './loss-options.js';
import * as F from './losses.js';
import { Module } from './module.js';

/** A loss of an input and a target. */
abstract class Loss<Options> extends Module {
  protected static readonly kinds: Readonly<Record<string, Kind>> = {};
  readonly options: Options;

  constructor(options?: Options) {
    checkCall(`new nn.${new.target.name}`, [], new.target.kinds, arguments);
    super();
    this.options = options ?? ({} as Options);
  }

  abstract override forward(input: Tensor, target: Tensor): Tensor;
}

/** Keeps `weight` as a buffer, so that it moves with the module. */
abstract class WeightedLoss<Options extends { weight?: Tensor | null }> extends Loss<Options> {
  declare weight: Tensor;

  constructor(options: Options = {} as Options) {
    checkCall(`new nn.${new.target.name}`, [], new.target.kinds, arguments);
    const { weight, ...rest } = options;
    super(rest as Options);
    if (weight) this.registerBuffer('weight', weight);
  }

  protected weighted(): Options {
    return this.weight ? { ...this.options, weight: this.weight } : this.options;
  }
}

/** Module of `functional.crossEntropy`: logits [N, K, ...], class numbers [N, ...] or probabilities [N, K, ...]. */
export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions> {
  protected static override readonly kinds = kinds.crossEntropy;

  forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, this.weighted());
  }
}

/** Module of `functional.nllLoss`: log-probabilities [N, K, ...], class numbers [N, ...]. */
export class NLLLoss extends WeightedLoss<F.NllOptions> {
  protected static override readonly kinds = kinds.nll;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.nllLoss(input, target, this.weighted());
  }
}

/** Module of `functional.binaryCrossEntropy`: probabilities and targets of one shape. */
export class BCELoss extends WeightedLoss<F.LossOptions & { weight?: Tensor | null }> {
  protected static override readonly kinds = kinds.bce;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, this.weighted());
  }
}

/** Module of `functional.binaryCrossEntropyWithLogits`: logits and targets of one shape. */
export class BCEWithLogitsLoss extends WeightedLoss<F.BCEWithLogitsOptions> {
  protected static override readonly kinds = kinds.bceWithLogits;

  declare pos_weight: Tensor;

  constructor(options: F.BCEWithLogitsOptions = {}) {
    checkCall(`new nn.${new.target.name}`, [], new.target.kinds, arguments);
    const { posWeight, ...rest } = options;
    super(rest);
    if (posWeight) this.registerBuffer('pos_weight', posWeight);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(input, target, { ...this.weighted(), posWeight: this.pos_weight ?? null });
  }
}

/** Module of `functional.mseLoss`. */
export class MSELoss extends Loss<F.LossOptions> {
  protected static override readonly kinds = kinds.plain;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

/** Module of `functional.l1Loss`. */
export class L1Loss extends Loss<F.LossOptions> {
  protected static override readonly kinds = kinds.plain;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

/** Module of `functional.smoothL1Loss`. */
export class SmoothL1Loss extends Loss<F.LossOptions & { beta?: number }> {
  protected static override readonly kinds = kinds.smoothL1;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

/** Module of `functional.huberLoss`. */
export class HuberLoss extends Loss<F.LossOptions & { delta?: number }> {
  protected static override readonly kinds = kinds.huber;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

/** Module of `functional.klDiv`: log-probabilities and probabilities. */
export class KLDivLoss extends Loss<F.KlDivOptions> {
  protected static override readonly kinds = kinds.klDiv;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

/** Module of `functional.poissonNllLoss`. */
export class PoissonNLLLoss extends Loss<F.PoissonNllOptions> {
  protected static override readonly kinds = kinds.poissonNll;

  forward(input: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(input, target, this.options);
  }
}

/** Module of `functional.hingeEmbeddingLoss`: distances and labels 1 or -1. */
export class HingeEmbeddingLoss extends Loss<F.MarginOptions> {
  protected static override readonly kinds = kinds.margin;

  forward(input: Tensor, label: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, label, this.options);
  }
}

/** Module of `functional.softMarginLoss`: scores and labels 1 or -1. */
export class SoftMarginLoss extends Loss<F.LossOptions> {
  protected static override readonly kinds = kinds.plain;

  forward(input: Tensor, label: Tensor): Tensor {
    return F.softMarginLoss(input, label, this.options);
  }
}

/** A loss of three tensors. */
abstract class Loss3<Options> extends Module {
  protected static readonly kinds: Readonly<Record<string, Kind>> = {};
  readonly options: Options;

  constructor(options?: Options) {
    checkCall(`new nn.${new.target.name}`, [], new.target.kinds, arguments);
    super();
    this.options = options ?? ({} as Options);
  }

  abstract override forward(a: Tensor, b: Tensor, c: Tensor): Tensor;
}

/** Module of `functional.gaussianNllLoss`: means, targets and variances. */
export class GaussianNLLLoss extends Loss3<F.GaussianNllOptions> {
  protected static override readonly kinds = kinds.gaussianNll;

  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(input, target, variance, this.options);
  }
}

/** Module of `functional.cosineEmbeddingLoss`: pairs [N, D] and labels 1 or -1 [N]. */
export class CosineEmbeddingLoss extends Loss3<F.MarginOptions> {
  protected static override readonly kinds = kinds.margin;

  forward(a: Tensor, b: Tensor, label: Tensor): Tensor {
    return F.cosineEmbeddingLoss(a, b, label, this.options);
  }
}

/** Module of `functional.marginRankingLoss`: two scores and labels 1 or -1. */
export class MarginRankingLoss extends Loss3<F.MarginOptions> {
  protected static override readonly kinds = kinds.margin;

  forward(a: Tensor, b: Tensor, label: Tensor): Tensor {
    return F.marginRankingLoss(a, b, label, this.options);
  }
}

/** Module of `functional.tripletMarginLoss`: anchor, positive and negative, [N, D] each. */
export class TripletMarginLoss extends Loss3<F.TripletMarginOptions> {
  protected static override readonly kinds = kinds.tripletMargin;

  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

/** Module of `functional.ctcLoss`. */
export class CTCLoss extends Module {
  constructor(readonly options: F.CtcOptions = {}) {
    checkCall('new nn.CTCLoss', [], kinds.ctc, arguments);
    super();
  }

  forward(logProbs: Tensor, targets: Tensor, inputLengths: Tensor, targetLengths: Tensor): Tensor {
    return F.ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
