import { checkCall } from '../call.js';
import { ConfigError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { droppedAsWhole } from './batch-share.js';
import { Module } from './module.js';

/** Base of dropout layers: active in training mode only; draws from the default generator. */
abstract class Dropping extends Module {
  constructor(readonly p = 0.5) {
    checkCall(`new nn.${new.target.name}`, ['p?: number'], undefined, arguments);
    super();
    if (!(p >= 0 && p <= 1)) throw new ConfigError(`The probability of dropout must be from 0 to 1, not ${p}.`);
  }

  abstract override forward(x: Tensor): Tensor;

  protected whole(x: Tensor, drop: (x: Tensor) => Tensor): Tensor {
    return this.training && this.p > 0 ? droppedAsWhole(x, drop) : drop(x);
  }
}

/** Sets elements to zero with probability `p`, and scales the others by 1 / (1 - p). */
export class Dropout extends Dropping {
  forward(x: Tensor): Tensor {
    return this.whole(x, (all) => torch.dropout(all, this.p, this.training));
  }
}

/** Drops whole channels: [N, C, L]. */
export class Dropout1d extends Dropping {
  forward(x: Tensor): Tensor {
    return this.whole(x, (all) => torch.featureDropout(all, this.p, this.training));
  }
}

/** Drops whole channels: [N, C, H, W]. */
export class Dropout2d extends Dropout1d {}

/** Drops whole channels: [N, C, D, H, W]. */
export class Dropout3d extends Dropout1d {}

/** Dropout that preserves mean 0 and variance 1 of its inputs; for use with SELU. */
export class AlphaDropout extends Dropping {
  forward(x: Tensor): Tensor {
    return this.whole(x, (all) => torch.alphaDropout(all, this.p, this.training));
  }
}

/** {@link AlphaDropout} of whole channels. */
export class FeatureAlphaDropout extends Dropping {
  forward(x: Tensor): Tensor {
    return this.whole(x, (all) => torch.featureAlphaDropout(all, this.p, this.training));
  }
}
