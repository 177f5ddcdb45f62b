import { checkCall, type Kinds } from '../call.js';
import type { Tensor } from '../tensor/index.js';
import { pairwiseDistance } from './distance.js';
import type { LossOptions } from './losses.js';
import { Module } from './module.js';
import { reduce } from './reduction.js';

/** Options of {@link tripletMarginWithDistanceLoss}. */
export interface TripletDistanceOptions extends LossOptions {
  /** From two tensors [N, D] to distances [N]. Default `functional.pairwiseDistance`. */
  distanceFunction?: ((a: Tensor, b: Tensor) => Tensor) | null;
  /** Default 1. */
  margin?: number;
  /** Uses the smaller of the negative's distances to anchor and positive. Default false. */
  swap?: boolean;
}

const kinds: Kinds<TripletDistanceOptions> = {
  distanceFunction: 'any',
  margin: 'number',
  swap: 'boolean',
  reduction: ['none', 'mean', 'sum'],
};

/** max(0, d(anchor, positive) - d(anchor, negative) + margin) for a distance d of your own. */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletDistanceOptions = {},
): Tensor {
  const given = ['anchor: tensor', 'positive: tensor', 'negative: tensor'];
  checkCall('tripletMarginWithDistanceLoss', given, kinds, arguments);
  const { distanceFunction, margin = 1, swap = false, reduction = 'mean' } = options;
  const distance = distanceFunction ?? pairwiseDistance;
  checkCall('tripletMarginWithDistanceLoss', ['distanceFunction: function'], undefined, [distance]);
  const near = distance(anchor, positive);
  let far = distance(anchor, negative);
  if (swap) far = far.minimum(distance(positive, negative));
  return reduce(near.sub(far).add(margin).clamp({ min: 0 }), reduction);
}

/** Module of `functional.tripletMarginWithDistanceLoss`: anchor, positive and negative, [N, D] each. */
export class TripletMarginWithDistanceLoss extends Module {
  constructor(readonly options: TripletDistanceOptions = {}) {
    checkCall('new nn.TripletMarginWithDistanceLoss', [], kinds, arguments);
    super();
  }

  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return tripletMarginWithDistanceLoss(anchor, positive, negative, this.options);
  }
}
