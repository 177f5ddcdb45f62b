import { checkCall } from '../call.js';
import { native } from '../native.js';
import { keep, Tensor } from '../tensor/index.js';

/** A tensor that a module trains: a new leaf that shares the memory of `data` and outlives every scope. */
export class Parameter extends Tensor {
  constructor(data: Tensor, requiresGrad = true) {
    checkCall('new nn.Parameter', ['data: tensor'], undefined, [data]);
    // Not data.detach(): this object must be the only owner of the new handle.
    super(native().call(native().resolve('aten::detach', ''), data.handle) as number);
    keep(this);
    this.requiresGrad = requiresGrad;
  }
}
