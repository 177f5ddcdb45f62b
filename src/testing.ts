/**
 * `srrl/testing`: comparing tensors in tests, as torch.testing does.
 *
 *     import { matchers } from 'srrl/testing';
 *     expect.extend(matchers);
 *     expect(actual).toBeCloseToTensor(expected);
 */
import './package-root.js';
import { AssertionError } from 'node:assert';
import { checkCall, type Kinds } from './call.js';
import { ArgumentError } from './errors.js';
import { dtypeName } from './tensor/dtype.js';
import type { DType, TensorData } from './tensor/index.js';
import { noGrad, scope, Tensor, tensor, functions as torch } from './tensor/index.js';

export { tensorEquality } from './tensor/index.js';

/** Options of {@link assertClose}. */
export interface CloseOptions {
  /**
   * Allowed difference relative to the expected value; pass it together with `atol`. Default: depends on the dtype, as
   * in torch.testing.assert_close.
   */
  rtol?: number;
  /** Allowed absolute difference; pass it together with `rtol`. */
  atol?: number;
  /** Whether NaN equals NaN. Default false. */
  equalNan?: boolean;
  /** Whether the dtypes must be the same. Default true. */
  checkDtype?: boolean;
  /** Whether the devices must be the same. Default true. */
  checkDevice?: boolean;
}

const closeKinds: Kinds<CloseOptions> = {
  rtol: 'number',
  atol: 'number',
  equalNan: 'boolean',
  checkDtype: 'boolean',
  checkDevice: 'boolean',
};

// [rtol, atol] by dtype; both are 0 for integers and bool.
const tolerances: Partial<Record<DType, readonly [number, number]>> = {
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
  complex32: [1e-3, 1e-5],
  complex64: [1.3e-6, 1e-5],
  complex128: [1e-7, 1e-7],
  quint8: [1.3e-6, 1e-5],
  qint8: [1.3e-6, 1e-5],
  qint32: [1.3e-6, 1e-5],
};

/**
 * Throws an AssertionError that says where and by how much `actual` and `expected` differ by more than `atol + rtol *
 * |expected|`; as torch.testing.assert_close. Numbers and arrays become tensors of the dtype and device of `actual`.
 */
export function assertClose(actual: Tensor, expected: Tensor | TensorData, options: CloseOptions = {}): void {
  checkCall('assertClose', ['actual', 'expected'], closeKinds, arguments);
  const message = differenceOf(actual, expected, options);
  if (message !== undefined) throw new AssertionError({ message, operator: 'assertClose' });
}

/** Returns the message of {@link assertClose}; undefined if the tensors are close. */
function differenceOf(actual: unknown, given: Tensor | TensorData, options: CloseOptions): string | undefined {
  if (!(actual instanceof Tensor)) return `Expected a Tensor, got ${String(actual)}.`;
  const { rtol, atol, equalNan = false, checkDtype = true, checkDevice = true } = options;
  if ((rtol === undefined) !== (atol === undefined))
    throw new ArgumentError('rtol and atol must be given together, or neither.');
  return noGrad(() =>
    scope(() => {
      const { dtype, device } = actual;
      const expected = given instanceof Tensor ? given : tensor(given, { dtype, device });
      const differing = (
        [
          ['shape', `[${actual.shape.join(', ')}]`, `[${expected.shape.join(', ')}]`, true],
          ['device', device, expected.device, checkDevice],
          ['layout', actual.layout, expected.layout, true],
          ['dtype', dtype, expected.dtype, checkDtype],
        ] as const
      ).find(([, found, wanted, check]) => check && found !== wanted);
      if (differing)
        return `The values for attribute '${differing[0]}' do not match: ${differing[1]} != ${differing[2]}.`;
      const both = [dtype, expected.dtype].map((type) => tolerances[type] ?? [0, 0]);
      const allowed = {
        rtol: rtol ?? Math.max(...both.map(([r]) => r)),
        atol: atol ?? Math.max(...both.map(([, a]) => a)),
      };
      const [left, right] = comparable(actual, expected);
      const close = torch.isclose(left, right, { ...allowed, equalNan });
      return close.all().item() ? undefined : describe(left, right, close.logicalNot(), allowed);
    }),
  );
}

/** Converts both to dense tensors on one device and in one dtype that libtorch can subtract. */
function comparable(actual: Tensor, expected: Tensor): [Tensor, Tensor] {
  const dense = (tensor: Tensor) => {
    const strided = tensor.layout === 'strided' ? tensor : tensor.toDense();
    return strided.dtype.startsWith('q') ? strided.dequantize() : strided;
  };
  const [left, right] = [dense(actual), dense(expected).to({ device: actual.device })];
  const dtype = dtypeName(Number(torch.promoteTypes(left.dtype, right.dtype)));
  return [left.to(dtype), right.to(dtype)];
}

function describe(
  actual: Tensor,
  expected: Tensor,
  mismatched: Tensor,
  allowed: { rtol: number; atol: number },
): string {
  const wide = (tensor: Tensor) => (tensor.dtype.startsWith('complex') ? tensor : tensor.to('float64'));
  const absolute = wide(actual).sub(wide(expected)).abs();
  const relative = absolute.div(wide(expected).abs());
  const count = Number(mismatched.sum().item());
  const share = ((count / mismatched.numel()) * 100).toFixed(1);
  return [
    'Tensors are not close!',
    '',
    `Mismatched elements: ${count} / ${mismatched.numel()} (${share}%)`,
    `Greatest absolute difference: ${greatest(absolute, mismatched)} (up to ${allowed.atol} allowed)`,
    `Greatest relative difference: ${greatest(relative, mismatched)} (up to ${allowed.rtol} allowed)`,
  ].join('\n');
}

/** Describes the largest value among the counted ones, with its position. */
function greatest(values: Tensor, counted: Tensor): string {
  const flat = torch.where(counted, values, torch.zerosLike(values)).flatten();
  let position = Number(flat.argmax().item());
  const place: number[] = [];
  const value = flat.at(position).item();
  for (const size of values.shape.toReversed()) {
    place.unshift(position % size);
    position = Math.floor(position / size);
  }
  return `${value} at index [${place.join(', ')}]`;
}

interface Verdict {
  pass: boolean;
  message: () => string;
}

const verdict = (difference: string | undefined, otherwise: string): Verdict => ({
  pass: difference === undefined,
  message: () => difference ?? otherwise,
});

/** Matchers for `expect.extend` of vitest and Jest. */
export const matchers = {
  /** Passes if {@link assertClose} does not throw. */
  toBeCloseToTensor(actual: unknown, expected: Tensor | TensorData, options: CloseOptions = {}): Verdict {
    return verdict(differenceOf(actual, expected, options), 'Expected the tensors not to be close, but they are.');
  },
  /** Passes for a tensor of this shape. */
  toHaveShape(actual: unknown, shape: readonly number[]): Verdict {
    const text = (sizes: readonly number[]) => `[${sizes.join(', ')}]`;
    if (!(actual instanceof Tensor)) return verdict(`Expected a Tensor, got ${String(actual)}.`, '');
    const same = text(actual.shape) === text(shape);
    return verdict(
      same ? undefined : `Expected shape ${text(shape)}, got ${text(actual.shape)}.`,
      `Expected another shape than ${text(shape)}.`,
    );
  },
};

/** Types of {@link matchers}, for `declare module 'vitest' { interface Matchers<T> extends TensorMatchers<T> {} }`. */
export interface TensorMatchers<Result = unknown> {
  toBeCloseToTensor(expected: Tensor | TensorData, options?: CloseOptions): Result;
  toHaveShape(shape: readonly number[]): Result;
}
