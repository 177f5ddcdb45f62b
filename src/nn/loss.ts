/** Losses as modules; what they compute is in losses.ts. */
import type { Tensor } from '../tensor/index.js';
import * as F from './losses.js';
import { Module } from './module.js';

/** A loss of an input and a target. */
abstract class Loss<Options> extends Module {
  readonly options: Options;

  constructor(options?: Options) {
    super();
    this.options = options ?? ({} as Options);
  }

  abstract override forward(input: Tensor, target: Tensor): Tensor;
}

/** Keeps `weight` as a buffer, so that it moves with the module. */
abstract class WeightedLoss<Options extends { weight?: Tensor | null }> extends Loss<Options> {
  declare weight: Tensor;

  constructor({ weight, ...options }: Options = {} as Options) {
    super(options as Options);
    if (weight) this.registerBuffer('weight', weight);
  }

  protected weighted(): Options {
    return this.weight ? { ...this.options, weight: this.weight } : this.options;
  }
}

export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions> {
  forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, this.weighted());
  }
}

export class NLLLoss extends WeightedLoss<F.NllOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.nllLoss(input, target, this.weighted());
  }
}

export class BCELoss extends WeightedLoss<F.LossOptions & { weight?: Tensor | null }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, this.weighted());
  }
}

export class BCEWithLogitsLoss extends WeightedLoss<F.BCEWithLogitsOptions> {
  declare pos_weight: Tensor;

  constructor({ posWeight, ...options }: F.BCEWithLogitsOptions = {}) {
    super(options);
    if (posWeight) this.registerBuffer('pos_weight', posWeight);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(input, target, { ...this.weighted(), posWeight: this.pos_weight ?? null });
  }
}

export class MSELoss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, this.options);
  }
}

export class L1Loss extends Loss<F.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, this.options);
  }
}

export class SmoothL1Loss extends Loss<F.LossOptions & { beta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, this.options);
  }
}

export class HuberLoss extends Loss<F.LossOptions & { delta?: number }> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, this.options);
  }
}

export class KLDivLoss extends Loss<F.KlDivOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, this.options);
  }
}

export class PoissonNLLLoss extends Loss<F.PoissonNllOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(input, target, this.options);
  }
}

export class HingeEmbeddingLoss extends Loss<F.MarginOptions> {
  forward(input: Tensor, label: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, label, this.options);
  }
}

export class SoftMarginLoss extends Loss<F.LossOptions> {
  forward(input: Tensor, label: Tensor): Tensor {
    return F.softMarginLoss(input, label, this.options);
  }
}

/** A loss of three tensors. */
abstract class Loss3<Options> extends Module {
  readonly options: Options;

  constructor(options?: Options) {
    super();
    this.options = options ?? ({} as Options);
  }

  abstract override forward(a: Tensor, b: Tensor, c: Tensor): Tensor;
}

export class GaussianNLLLoss extends Loss3<F.GaussianNllOptions> {
  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(input, target, variance, this.options);
  }
}

export class CosineEmbeddingLoss extends Loss3<F.MarginOptions> {
  forward(a: Tensor, b: Tensor, label: Tensor): Tensor {
    return F.cosineEmbeddingLoss(a, b, label, this.options);
  }
}

export class MarginRankingLoss extends Loss3<F.MarginOptions> {
  forward(a: Tensor, b: Tensor, label: Tensor): Tensor {
    return F.marginRankingLoss(a, b, label, this.options);
  }
}

export class TripletMarginLoss extends Loss3<F.TripletMarginOptions> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

export class CTCLoss extends Module {
  constructor(readonly options: F.CtcOptions = {}) {
    super();
  }

  forward(logProbs: Tensor, targets: Tensor, inputLengths: Tensor, targetLengths: Tensor): Tensor {
    return F.ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
