/** How JavaScript treats a tensor: in its operators, and in structured cloning. */
import { ArgumentError } from '../errors.js';
import type { Tensor } from './tensor.js';

/**
 * Structured cloning, as by postMessage, would deliver an object without memory. It refuses objects that own a function
 * and quotes the function, so its DataCloneError shows this text. All objects share one function: each pays a slot and
 * no time.
 */
export const uncloneable = () => 'Tensors belong to one thread: post torch.sendTensor(tensor)';

/** The number, bigint or boolean of one element, for JavaScript's operators. */
export function primitiveOf(tensor: Tensor): number | bigint | boolean {
  if (tensor.numel() !== 1) {
    const what = tensor.isNested ? 'A nested tensor' : `A tensor of shape [${tensor.shape.join(', ')}]`;
    throw new ArgumentError(
      `${what} is not one number, as JavaScript's operators need. Use methods: add(), sub(), mul(), div(), lt(), le(), gt(), ge(), eq(); equal() compares as a whole; tolist() gives the numbers.`,
    );
  }
  const value = tensor.item();
  if (Array.isArray(value)) {
    throw new ArgumentError(
      'A complex number has no JavaScript form that operators understand. Use methods: add(), mul(), abs(), angle(); item() gives [re, im].',
    );
  }
  return value;
}
