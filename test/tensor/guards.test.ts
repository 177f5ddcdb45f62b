import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, dispatch, fromArray, SrrlError, type Tensor } from '../../src/torch.js';

const quantized = () => torch.quantizePerTensor(torch.randn([2, 3]), 0.1, 2, 'quint8');
const meta = (shape: number[]) => torch.empty(shape, { device: 'meta' });
const whole = (values: number[]) => torch.tensor(values, { dtype: 'int64' });
const least = () => torch.tensor([-(2n ** 63n)]);

/** Each of them ended the process in libtorch 2.13, in PyTorch as well; the fuzzer found them. */
const crashes: Record<string, () => unknown> = {
  'group norm of a meta tensor with 0 groups': () => torch.nativeGroupNorm(meta([2, 3]), null, null, 2, 3, 1, 0, 1e-5),
  'group norm of fewer elements than it is told': () =>
    torch.nativeGroupNorm(meta([2, 3]), null, null, 2, 300, 1, 1, 1e-5),
  'batch norm with too few means': () =>
    torch.nativeBatchNorm(torch.ones([2, 3]), null, null, torch.ones([1]), torch.ones([3]), false, 0.1, 1e-5),
  'batch norm with too few weights': () =>
    torch.nativeBatchNorm(torch.ones([2, 3]), torch.ones([1]), null, null, null, true, 0.1, 1e-5),
  'batch norm without means outside of training': () =>
    torch.nativeBatchNorm(torch.ones([2, 3]), null, null, null, null, false, 0.1, 1e-5),
  'batch norm without channels': () =>
    torch.nativeBatchNorm(torch.ones([2, 0]), null, null, null, null, true, 0.1, 1e-5),
  'statistics of a batch with too few means': () =>
    torch.batchNormUpdateStats(torch.ones([2, 3]), torch.ones([0]), null, 0.1),
  'the smallest integer divided by -1': () => torch.div(least(), torch.tensor([-1]), { roundingMode: 'trunc' }),
  'the smallest integer divided by the number -1': () => torch.div(least(), -1, { roundingMode: 'trunc' }),
  'the same in place': () => least().div_(-1, { roundingMode: 'trunc' }),
  'the smallest int32 divided by -1': () =>
    torch
      .tensor([-(2 ** 31)], { dtype: 'int32' })
      .divide(torch.tensor([-1], { dtype: 'int32' }), { roundingMode: 'trunc' }),
  'the bytes of a quantized tensor': () => dispatch('aten::view.dtype', quantized(), 'uint8'),
  'a copy of the bytes of a quantized tensor': () => dispatch('aten::view_copy.dtype', quantized(), 'uint8'),
  'bytes as a quantized tensor': () => torch.ones([2]).to('int8').view('qint8'),
  'shared memory as a quantized tensor': () =>
    fromArray(new Int8Array(new SharedArrayBuffer(2)), [2], { dtype: 'qint8', share: true }),
  'a quantized tensor for a result': () => dispatch('aten::concat.out', [], 1, { out: quantized() }),
  'a functional copy into an mkldnn tensor': () => torch.copy(torch.randn([2, 3]).toMkldnn(), torch.randn([2, 3])),
  'a functional copy into a sparse tensor': () => torch.copy(torch.eye(3).toSparseCsr(), torch.randn([2, 2])),
  'zeros like an mkldnn tensor of another type': () =>
    torch.randn([2, 3]).toMkldnn().newZeros([10], { dtype: 'bfloat16' }),
  'a source of mkldnn for a dense tensor': () =>
    torch.zeros([2, 2]).scatter_(0, torch.zeros([1, 1], { dtype: 'int64' }), torch.randn([2, 3]).toMkldnn()),
  'distances of no rows, whose gradient is asked for': () => torch.pdist(torch.zeros([0, 5], { requiresGrad: true })),
  'zeros without memory for a result': () =>
    dispatch('aten::randn.out', [7], { out: torch._efficientzerotensor([2, 3]) }),
  'a step that is 0 as an integer': () =>
    dispatch('aten::range.out', 0, 0, 0.5, { out: torch.zeros([], { dtype: 'int64' }) }),
  'a sparse triangular system with more dimensions': () =>
    dispatch('aten::triangular_solve.X', torch.randn([2, 3, 5, 5]), torch.eye(3).toSparseCsr(), undefined, true, true, {
      X: torch.randn([3, 3]),
      M: torch.randn([3, 3]),
    }),
  'attention of sparse tensors': () =>
    torch.scaledDotProductAttention(torch.randn([2, 3]).toMkldnn(), torch.zeros([0, 2]).toSparse(), torch.ones([3, 3])),
  'an LSTM cell without state': () => {
    const [one, number] = [torch.ones([1, 1]), 1];
    return torch.quantizedLstmCell(one, [], one, one, one, one, one, one, one, one, number, number, number, number);
  },
  'draws up to NaN, which would never end': () => torch.binomial(torch.tensor([Number.NaN]), torch.tensor([0.5])),
  'noise for fewer elements, and a result of fewer': () => {
    const [x, out] = [torch.ones([3, 300]), torch.zeros([])];
    expect(() => torch.rreluWithNoise(x, torch.ones([3]), 0.1, 0.3, true)).toThrow(SrrlError);
    return dispatch('aten::rrelu_with_noise.out', x, torch.ones([3, 300]), 0.1, 0.3, true, null, { out });
  },
  'noise whose elements lie on each other': () =>
    torch.rreluWithNoise(torch.ones([64, 64]), torch.ones([1]).expand([64, 64]), 0.1, 0.3, true),
  'the memory of zeros that have none': () => {
    const zeros = torch._efficientzerotensor([2, 3]);
    return (dispatch('aten::set_.source_Tensor_storage_offset', torch.ones([2, 3]), zeros, 0, []) as Tensor).item();
  },
  'a packed LSTM without weights': () => {
    const states = [torch.ones([2, 3, 5, 5]), torch.ones([0, 5, 0])];
    return dispatch('aten::lstm.data', torch.ones([2, 3]), whole([1, 1]), states, [], true, 1, 0, false, true);
  },
  'a packed GRU of no sequences': () => {
    const weights = [torch.ones([12, 3]), torch.ones([12, 4]), torch.ones([12]), torch.ones([12])];
    return dispatch(
      'aten::gru.data',
      torch.ones([2, 3]),
      whole([]),
      torch.ones([1, 1, 4]),
      weights,
      true,
      1,
      0,
      false,
      false,
    );
  },
  'a lazy clone, which would take the memory of a view': () => torch._lazyClone(torch.ones([2])),
};

describe('what would end the process inside of libtorch is an error', () => {
  it.each(Object.entries(crashes))('%s', (_name, call) => {
    expect(call).toThrow(SrrlError);
  });
});

describe('what is guarded still computes', () => {
  it('truncated division, but for the one value', () => {
    const numbers = torch.tensor([-(2n ** 63n) + 1n, 7, -7]);
    expect(torch.div(numbers, -1, { roundingMode: 'trunc' }).tolist()).toEqual([2n ** 63n - 1n, -7, 7]);
    expect(torch.div(least(), 2, { roundingMode: 'trunc' }).tolist()).toEqual([-(2n ** 62n)]);
    expect(torch.div(least(), -1, { roundingMode: 'floor' }).tolist()).toEqual([-(2n ** 63n)]);
  });

  it('group norm as the layer computes it', () => {
    const x = torch.randn([2, 6, 2, 2]);
    const [normalized] = torch.nativeGroupNorm(x, null, null, 2, 6, 4, 3, 1e-5) as Tensor[];
    expect(torch.allclose(normalized as Tensor, torch.groupNorm(x, 3))).toBe(true);
  });
});

describe('requiresGrad', () => {
  const loose = torch as unknown as { zeros(...args: unknown[]): Tensor; equal(...args: unknown[]): unknown };

  it('in front of other arguments is refused at once', () => {
    expect(() => loose.zeros({ requiresGrad: true }, [2])).toThrow(ArgumentError);
    expect(() => loose.zeros({ requiresGrad: true }, 'x'.repeat(1_000_000))).toThrow(ArgumentError);
    expect(() => loose.zeros({ requiresGrad: true }, null)).toThrow(ArgumentError);
  });

  it('must be true or false, and is for calls that make one tensor', () => {
    expect(() => loose.zeros([2], { requiresGrad: 'yes' })).toThrow(/requiresGrad must be true or false/);
    expect(() => loose.equal(torch.ones([1]), torch.ones([1]), { requiresGrad: true })).toThrow(ArgumentError);
    expect(loose.zeros([2], { requiresGrad: true }).requiresGrad).toBe(true);
    expect(loose.zeros([2], { requiresGrad: undefined }).requiresGrad).toBe(false);
  });
});
