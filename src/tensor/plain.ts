import { native } from '../native.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/**
 * Returns the values, outside autograd, as a tensor with plain strided memory: most tensors share theirs; zero tensors
 * without memory and conjugate or negative views are copied. Throws ArgumentError for sparse, nested, quantized and
 * meta tensors.
 */
export const plain = (tensor: Tensor): Tensor => owned(new Tensor(native().plain(tensor.handle)));
