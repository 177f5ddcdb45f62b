import { checkCall } from '../call.js';
import { ArgumentError } from '../errors.js';
import { native } from '../native.js';
import { owned } from './ownership.js';
import { Tensor } from './tensor.js';

/** A tensor on its way to another thread of this process: plain data that postMessage carries. */
export interface SentTensor {
  readonly sentTensor: number;
}

/**
 * Makes a tensor ready to be posted to a worker thread, which gets it by {@link receiveTensor}: the same memory, no
 * copy. Must be received once; until then it is kept. The tensor must not be part of a graph.
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
