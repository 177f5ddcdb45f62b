/** Activations that shrink values toward zero or threshold them. */
import { checkCall } from '../call.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

/** x - tanh(x) */
export class Tanhshrink extends Module {
  constructor() {
    checkCall('new nn.Tanhshrink', [], undefined, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return torch.sub(x, torch.tanh(x));
  }
}

/** x - lambd above lambd, x + lambd below -lambd, 0 between them. Default 0.5. */
export class Softshrink extends Module {
  constructor(readonly lambd = 0.5) {
    checkCall('new nn.Softshrink', ['lambd'], undefined, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return torch.softshrink(x, this.lambd);
  }
}

/** x outside of [-lambd, lambd], 0 inside. Default 0.5. */
export class Hardshrink extends Module {
  constructor(readonly lambd = 0.5) {
    checkCall('new nn.Hardshrink', ['lambd'], undefined, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return torch.hardshrink(x, this.lambd);
  }
}

/** x above `threshold`, `value` elsewhere. */
export class Threshold extends Module {
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    checkCall('new nn.Threshold', ['threshold: number', 'value: number'], undefined, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return torch.threshold(x, this.threshold, this.value);
  }
}

/**
 * x where positive; elsewhere x times a slope that is drawn from [lower, upper] for each element in training mode, and
 * their mean in evaluation mode. Defaults 1/8 and 1/3.
 */
export class RReLU extends Module {
  constructor(
    readonly lower = 1 / 8,
    readonly upper = 1 / 3,
  ) {
    checkCall('new nn.RReLU', ['lower', 'upper'], undefined, arguments);
    super();
  }

  override forward(x: Tensor): Tensor {
    return torch.rrelu(x, this.lower, this.upper, this.training);
  }
}
