/** Activations along a dimension. */
import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { type Tensor, functions as torch } from '../tensor/index.js';
import { Module } from './module.js';

abstract class AlongDim extends Module {
  constructor(readonly dim: number) {
    checkCall(`new nn.${new.target.name}`, ['dim?: number'], undefined, arguments);
    super();
  }

  abstract override forward(x: Tensor): Tensor;
}

/** exp(x), divided by its sum along `dim`. */
export class Softmax extends AlongDim {
  forward(x: Tensor): Tensor {
    return torch.softmax(x, this.dim);
  }
}

/** Softmax over the channels of every place: [N, C, H, W] or [C, H, W]. */
export class Softmax2d extends Module {
  constructor() {
    checkCall('new nn.Softmax2d', [], undefined, arguments);
    super();
  }

  forward(x: Tensor): Tensor {
    if (x.ndim !== 3 && x.ndim !== 4)
      throw new ArgumentError(`Softmax2d takes [N, C, H, W] or [C, H, W], not [${x.shape.join(', ')}].`);
    return torch.softmax(x, -3);
  }
}

/** Logarithm of the softmax along one dimension. */
export class LogSoftmax extends AlongDim {
  forward(x: Tensor): Tensor {
    return torch.logSoftmax(x, this.dim);
  }
}

/** Softmax of -x. */
export class Softmin extends AlongDim {
  forward(x: Tensor): Tensor {
    return torch.softmax(x.neg(), this.dim);
  }
}

/** The first half along `dim` times the sigmoid of the second. */
export class GLU extends AlongDim {
  constructor(dim = -1) {
    checkCall('new nn.GLU', ['dim?: number'], undefined, arguments);
    super(dim);
  }

  forward(x: Tensor): Tensor {
    return torch.glu(x, this.dim);
  }
}
