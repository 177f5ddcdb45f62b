/** Tensors in expectations: equality in vitest and the matchers of srrl/testing. */
import { expect as jestExpect } from 'expect';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { assertClose, matchers, type TensorMatchers, tensorEquality } from '../../src/testing.js';
import torch from '../../src/torch.js';

declare module 'vitest' {
  interface Matchers<T> extends TensorMatchers {}
}

beforeAll(() => expect.extend(matchers));
afterEach(() => vi.restoreAllMocks());

const refused = (body: () => void): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

describe('toEqual', () => {
  it.each([
    ['vitest', expect],
    ['Jest', jestExpect as unknown as typeof expect],
  ])('compares values, and NaN equals NaN, in %s', (_name, expect) => {
    expect(torch.tensor([1.5, Number.NaN])).toEqual(torch.tensor([1.5, Number.NaN]));
    expect(torch.tensor([1.5, 2])).not.toEqual(torch.tensor([1.5, 3]));
    expect(torch.tensor(1.5)).toEqual(torch.tensor(1.5));
    expect(torch.tensor(1.5)).not.toEqual(torch.tensor(2.5));
    expect(torch.zeros([0, 3])).toEqual(torch.zeros([0, 3]));
    expect(torch.zeros([0, 3])).not.toEqual(torch.zeros([0, 4]));
    expect(torch.tensor([true, false])).toStrictEqual(torch.tensor([true, false]));
    expect({ a: [torch.ones([2])] }).toEqual({ a: [torch.ones([2])] });
    expect(torch.ones([2])).not.toEqual(torch.ones([2], { dtype: 'float64' }));
    expect(() => expect(torch.tensor([1.5, 2])).toEqual(torch.tensor([1.5, 3]))).toThrow();
  });

  it('tells dtypes, shapes, layouts and tensors from arrays', () => {
    const x = torch.tensor([1.5, 2]);
    expect(x).not.toEqual(x.double());
    expect(x).not.toEqual(x.view(1, 2));
    expect(x).not.toEqual(x.toSparse());
    expect(x.toSparse()).toEqual(torch.tensor([1.5, 2]).toSparse());
    expect(x).not.toEqual([1.5, 2]);
    expect(tensorEquality([1.5], [1.5])).toBeUndefined();
  });

  it('works inside of objects, calls and asymmetric matchers', () => {
    expect({ loss: torch.tensor(1.5), other: [torch.ones([2])] }).toEqual({
      loss: torch.tensor(1.5),
      other: [torch.ones([2])],
    });
    expect({ loss: torch.tensor(1.5) }).not.toEqual({ loss: torch.tensor(2.5) });
    expect({ a: 1, loss: torch.tensor(1.5) }).toMatchObject({ loss: torch.tensor(1.5) });
    expect(torch.tensor(1.5)).toEqual(expect.anything());
    const called = vi.fn();
    called(torch.tensor([1.5]));
    expect(called).toHaveBeenCalledWith(torch.tensor([1.5]));
    expect(called).not.toHaveBeenCalledWith(torch.tensor([2.5]));
  });

  it('frees what it makes, and fails with a message for tensors that differ or are disposed', () => {
    const [a, b] = [torch.tensor([1.5]), torch.tensor([2.5])];
    const before = torch.memory();
    expect(refused(() => expect(a).toEqual(b))).toMatch(/deeply equal/);
    expect(torch.memory()).toEqual(before);
    b.dispose();
    expect(a).not.toEqual(b);
  });
});

describe('assertClose', () => {
  it('allows what torch.testing.assert_close allows, by dtype', () => {
    const by = { float16: 1e-3, bfloat16: 1.6e-2, float32: 1.3e-6, float64: 1e-7 } as const;
    for (const [dtype, rtol] of Object.entries(by)) {
      const of = (value: number) => torch.tensor([value], { dtype: 'float64' }).to(dtype as 'float64');
      assertClose(of(1000), of(1000));
      assertClose(torch.tensor([1000], { dtype: 'float64' }), of(1000 + 500 * rtol), {
        checkDtype: false,
        rtol,
        atol: 0,
      });
      expect(() => assertClose(of(1000), of(1000 + 4000 * rtol))).toThrow('not close');
    }
    expect(() => assertClose(torch.tensor([1, 2]), torch.tensor([1, 3]))).toThrow('Mismatched elements: 1 / 2 (50.0%)');
  });

  it('says where and by how much, as PyTorch does', () => {
    const message = refused(() =>
      assertClose(
        torch.tensor([
          [1.5, 2.5],
          [3.5, 4.5],
        ]),
        torch.tensor([
          [1.5, 2.5],
          [3.5, 9],
        ]),
      ),
    );
    expect(message.split('\n')).toEqual([
      'Tensors are not close!',
      '',
      'Mismatched elements: 1 / 4 (25.0%)',
      'Greatest absolute difference: 4.5 at index [1, 1] (up to 0.00001 allowed)',
      'Greatest relative difference: 0.5 at index [1, 1] (up to 0.0000013 allowed)',
    ]);
  });

  it('checks shape, dtype and NaN, and takes numbers and arrays', () => {
    const x = torch.tensor([1.5, Number.NaN]);
    expect(() => assertClose(x, x)).toThrow('not close');
    assertClose(x, x, { equalNan: true });
    expect(() => assertClose(x, x.view(1, 2))).toThrow("attribute 'shape' do not match: [2] != [1, 2]");
    expect(() => assertClose(x, x.double())).toThrow("attribute 'dtype'");
    assertClose(torch.tensor([1.5, 2]), [1.5, 2]);
    expect(() => assertClose(x, x, { rtol: 1 })).toThrow('together');
  });

  it('is a matcher', () => {
    expect(torch.tensor([1.5])).toBeCloseToTensor(torch.tensor([1.5 + 1e-7]));
    expect(torch.tensor([1.5])).not.toBeCloseToTensor([2.5]);
    expect(torch.ones([2, 3])).toHaveShape([2, 3]);
    expect(refused(() => expect(torch.ones([2, 3])).toHaveShape([3, 2]))).toContain(
      'Expected shape [3, 2], got [2, 3].',
    );
    expect(refused(() => expect(3).toBeCloseToTensor([3]))).toContain('Expected a Tensor, got 3.');
  });
});
