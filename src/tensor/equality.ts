/** Equality of tensors in tests: `expect(a).toEqual(b)` of vitest and Jest. */
import { noGrad } from './autograd.js';
import { scope } from './scope.js';
import { Tensor } from './tensor.js';

/**
 * Custom equality tester: returns undefined if neither value is a tensor. Equal tensors have the same shape, dtype,
 * layout, device and elements; NaN equals NaN.
 */
export function tensorEquality(a: unknown, b: unknown): boolean | undefined {
  if (!(a instanceof Tensor) && !(b instanceof Tensor)) return undefined;
  if (!(a instanceof Tensor) || !(b instanceof Tensor)) return false;
  return a === b || (a.isAlive && b.isAlive && noGrad(() => scope(() => equal(a, b))));
}

function equal(a: Tensor, b: Tensor): boolean {
  const kind = ({ dtype, device, layout, isNested, ndim }: Tensor) => [dtype, device, layout, isNested, ndim].join();
  if (kind(a) !== kind(b)) return false;
  if (a.isNested) {
    const [parts, others] = [a.unbind(0), b.unbind(0)];
    return parts.length === others.length && parts.every((part, i) => equal(part, others[i] as Tensor));
  }
  if (a.shape.join() !== b.shape.join() || a.device === 'meta') return false;
  const [left, right] = [comparable(a), comparable(b)];
  const same = left.eq(right).logicalOr(left.ne(left).logicalAnd(right.ne(right)));
  return same.all().item() as boolean;
}

/** The tensor made dense, in a dtype that libtorch can compare. */
function comparable(tensor: Tensor): Tensor {
  if (tensor.layout !== 'strided') return tensor.toDense();
  if (tensor.dtype.startsWith('q')) return tensor.dequantize();
  return tensor.dtype.startsWith('float8') ? tensor.to('float32') : tensor;
}

type Tester = (a: unknown, b: unknown) => boolean | undefined;

// Both runners keep their testers here. Without ours they would compare native handles, and no two tensors would be
// equal.
const runner = (globalThis as Record<symbol, unknown>)[Symbol.for('$$jest-matchers-object')];
(runner as { customEqualityTesters?: Tester[] } | undefined)?.customEqualityTesters?.push(tensorEquality);
