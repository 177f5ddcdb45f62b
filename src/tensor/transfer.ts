import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/** A tensor in transfer to another thread of this process: plain data for postMessage. */
export interface SentTensor {
  readonly sentTensor: number;
}

/**
 * Prepares a tensor for postMessage to a worker thread, which calls {@link receiveTensor}: the memory is shared, not
 * copied. It stays allocated until received, exactly once. The tensor must not be part of an autograd graph.
 */
export function sendTensor(tensor: Tensor): SentTensor {
  checkCall('sendTensor', ['tensor: tensor'], undefined, arguments);
  return { sentTensor: native().sendTensor(tensor.handle) };
}

/** The tensor that another thread sent. Both threads then share its memory. */
export function receiveTensor(sent: SentTensor): Tensor {
  const { sentTensor } = sent ?? {};
  if (typeof sentTensor !== 'number') throw new ArgumentError('receiveTensor() takes what sendTensor() returned.');
  return owned(new Tensor(native().receiveTensor(sentTensor)));
}
