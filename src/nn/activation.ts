import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return torch.relu(x);
  }
}

export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Sets elements to zero with probability `p` in training mode, and scales the others by 1 / (1 - p). */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.dropout(x, this.p, this.training);
  }
}

/** Applies one function to each element; the shape stays. */
abstract class Elementwise extends Module {
  abstract override forward(x: Tensor): Tensor;
}

/** min(max(0, x), 6) */
export class ReLU6 extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.relu6(x);
  }
}

/** x where positive, negativeSlope * x elsewhere. Default 0.01. */
export class LeakyReLU extends Elementwise {
  constructor(readonly negativeSlope = 0.01) {
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.leakyRelu(x, this.negativeSlope);
  }
}

/** x where positive, alpha * (exp(x) - 1) elsewhere. Default 1. */
export class ELU extends Elementwise {
  constructor(readonly alpha = 1) {
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.elu(x, this.alpha);
  }
}

export class SELU extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.selu(x);
  }
}

export interface GELUOptions {
  /** `tanh` for the approximation by a hyperbolic tangent. Default `none`. */
  approximate?: 'none' | 'tanh';
}

/** x times the normal distribution's cumulative function. */
export class GELU extends Elementwise {
  readonly approximate: 'none' | 'tanh';

  constructor({ approximate = 'none' }: GELUOptions = {}) {
    super();
    this.approximate = approximate;
  }

  forward(x: Tensor): Tensor {
    return torch.gelu(x, { approximate: this.approximate });
  }
}

/** x * sigmoid(x) */
export class SiLU extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.silu(x);
  }
}

/** x * tanh(softplus(x)) */
export class Mish extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.mish(x);
  }
}

export class Sigmoid extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.sigmoid(x);
  }
}

export class Tanh extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.tanh(x);
  }
}
