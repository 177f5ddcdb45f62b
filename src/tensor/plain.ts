import { native } from '../native.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/**
 * A tensor of the same values, outside autograd, whose elements lie in memory as its strides say: itself where they do,
 * as most tensors; a copy of zeros without memory and of conjugate and negative views. Throws ArgumentError for sparse,
 * nested, quantized and meta tensors.
 */
export const plain = (tensor: Tensor): Tensor => owned(new Tensor(native().plain(tensor.handle)));
