import { checkCall, type Kinds } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const geluKinds: Kinds<GELUOptions> = { approximate: ['none', 'tanh'] };
const preluKinds: Kinds<PReLUOptions> = { numParameters: 'number', init: 'number' };

/** Applies one function to each element; the shape is unchanged. */
abstract class Elementwise extends Module {
  constructor() {
    checkCall(`new nn.${new.target.name}`, [], undefined, arguments);
    super();
  }

  abstract override forward(x: Tensor): Tensor;
}

/** max(0, x) */
export class ReLU extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.relu(x);
  }
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
    checkCall('new nn.LeakyReLU', ['negativeSlope?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.leakyRelu(x, this.negativeSlope);
  }
}

/** x where positive, alpha * (exp(x) - 1) elsewhere. Default 1. */
export class ELU extends Elementwise {
  constructor(readonly alpha = 1) {
    checkCall('new nn.ELU', ['alpha?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.elu(x, this.alpha);
  }
}

/** 1.0507 ELU(x) with alpha 1.6733, which preserves mean and variance. */
export class SELU extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.selu(x);
  }
}

/** Options of {@link GELU}. */
export interface GELUOptions {
  /** `tanh` for the approximation by a hyperbolic tangent. Default `none`. */
  approximate?: 'none' | 'tanh';
}

/** x times the cumulative distribution function of the standard normal distribution. */
export class GELU extends Elementwise {
  readonly approximate: 'none' | 'tanh';

  constructor(options: GELUOptions = {}) {
    checkCall('new nn.GELU', [], geluKinds, arguments);
    const { approximate = 'none' } = options;
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

/** 1 / (1 + exp(-x)) */
export class Sigmoid extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.sigmoid(x);
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.tanh(x);
  }
}

/** x * relu6(x + 3) / 6 */
export class Hardswish extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.hardswish(x);
  }
}

/** relu6(x + 3) / 6 */
export class Hardsigmoid extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.hardsigmoid(x);
  }
}

/** x, at least `minVal` and at most `maxVal`. Defaults -1 and 1. */
export class Hardtanh extends Elementwise {
  constructor(
    readonly minVal = -1,
    readonly maxVal = 1,
  ) {
    checkCall('new nn.Hardtanh', ['minVal?: number', 'maxVal?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.hardtanh(x, this.minVal, this.maxVal);
  }
}

/** log(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`. Defaults 1 and 20. */
export class Softplus extends Elementwise {
  constructor(
    readonly beta = 1,
    readonly threshold = 20,
  ) {
    checkCall('new nn.Softplus', ['beta?: number', 'threshold?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.softplus(x, this.beta, this.threshold);
  }
}

/** x / (1 + |x|) */
export class Softsign extends Elementwise {
  forward(x: Tensor): Tensor {
    return x.div(x.abs().add(1));
  }
}

/** max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Default 1. */
export class CELU extends Elementwise {
  constructor(readonly alpha = 1) {
    checkCall('new nn.CELU', ['alpha?: number'], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    return torch.celu(x, this.alpha);
  }
}

/** log(sigmoid(x)) */
export class LogSigmoid extends Elementwise {
  forward(x: Tensor): Tensor {
    return torch.logSigmoid(x);
  }
}

/** Options of {@link PReLU}. */
export interface PReLUOptions {
  /** 1, or the number of channels of [N, C, ...]. Default 1. */
  numParameters?: number;
  /** Initial slope. Default 0.25. */
  init?: number;
}

/** x where positive, weight * x elsewhere; the weight is trained. */
export class PReLU extends Elementwise {
  readonly weight: Parameter;

  constructor(options: PReLUOptions = {}) {
    checkCall('new nn.PReLU', [], preluKinds, arguments);
    const { numParameters = 1, init = 0.25 } = options;
    super();
    this.weight = new Parameter(torch.full([numParameters], init, { dtype: 'float32' }));
  }

  forward(x: Tensor): Tensor {
    return torch.prelu(x, this.weight);
  }
}
