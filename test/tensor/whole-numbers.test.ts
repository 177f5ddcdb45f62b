import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, type DType, float, nn } from '../../src/torch.js';

describe('whole numbers', () => {
  it.each<[number | bigint, DType, unknown]>([
    [1, 'int64', 1],
    [2 ** 53, 'int64', 2n ** 53n],
    [2 ** 60, 'int64', 2n ** 60n],
    [-(2 ** 63), 'int64', -(2n ** 63n)],
    [2 ** 63, 'float32', 2 ** 63],
    [-(2 ** 63) - 2048, 'float32', -(2 ** 63)],
    [1e20, 'float32', Math.fround(1e20)],
    [-1e30, 'float32', Math.fround(-1e30)],
    [-Number.MAX_VALUE, 'float32', -Infinity],
    [-0, 'float32', -0],
    [2n ** 63n - 1n, 'int64', 2n ** 63n - 1n],
    [-(2n ** 63n), 'int64', -(2n ** 63n)],
  ])('%s makes %s by tensor()', (value, dtype, read) => {
    for (const made of [torch.tensor(value), torch.tensor([value]).squeeze(0)]) {
      expect(made.dtype).toBe(dtype);
      expect(made.item()).toBe(read);
    }
  });

  it.each([1, 2 ** 53, 2 ** 60, -(2 ** 63), 2 ** 63, 1e30, -0, 1.5, 7n, 2n ** 62n])(
    '%s has one dtype in tensor(), full() and where()',
    (value) => {
      const { dtype } = torch.tensor(value);
      expect(torch.full([1], value).dtype).toBe(dtype);
      expect(torch.where(torch.tensor([true]), value, value).dtype).toBe(dtype);
      expect(torch.tensor([1]).add(value).dtype).toBe(dtype);
      expect(torch.full([1], value).item()).toBe(torch.tensor(value).item());
    },
  );

  it('keep masks that mask', () => {
    expect(torch.tensor([0, -Number.MAX_VALUE]).tolist()).toEqual([0, -Infinity]);
    expect(torch.tensor([0, -1e30]).tolist()).toEqual([0, Math.fround(-1e30)]);
    expect(
      torch
        .zeros([2])
        .maskedFill(torch.tensor([true, false]), -1e30)
        .tolist(),
    ).toEqual([Math.fround(-1e30), 0]);
    expect(
      torch
        .tensor([0, -1e30])
        .add(torch.ones([2]))
        .softmax(0)
        .tolist(),
    ).toEqual([1, 0]);
  });

  it('bigints that do not fit are an error, in every place', () => {
    const wide = 2n ** 64n;
    expect(() => torch.tensor([2n ** 63n])).toThrow(/does not fit into int64; use { dtype: 'uint64' }/);
    expect(() => torch.tensor([1, wide])).toThrow(ArgumentError);
    expect(() => torch.tensor([-(2n ** 63n) - 1n])).toThrow(ArgumentError);
    expect(() => torch.full([1], wide)).toThrow(ArgumentError);
    expect(() => torch.tensor([1]).add(wide)).toThrow(ArgumentError);
    expect(() => torch.tensor([1]).fill_(wide)).toThrow(ArgumentError);
    expect(() => torch.dispatch('aten::add.Tensor', torch.tensor([1]), wide)).toThrow(ArgumentError);
    expect(() => torch.tensor([1, 2]).at([1e30])).toThrow(ArgumentError);
    // Among numbers that make a float tensor, a bigint is one of them, as in PyTorch.
    expect(torch.tensor([2n ** 70n, 0.5]).tolist()).toEqual([2 ** 70, 0.5]);
    expect(torch.tensor([2n ** 70n], { dtype: 'float64' }).item()).toBe(2 ** 70);
  });

  it('uint64 holds what it can', () => {
    const most = torch.tensor([2n ** 64n - 1n], { dtype: 'uint64' });
    expect(most.item()).toBe(2n ** 64n - 1n);
    expect(torch.fromArray(BigUint64Array.of(2n ** 64n - 1n)).tolist()).toEqual([2n ** 64n - 1n]);
    expect(() => torch.tensor([-1], { dtype: 'uint64' })).toThrow(ArgumentError);
    expect(() => torch.tensor([2n ** 64n], { dtype: 'uint64' })).toThrow(ArgumentError);
  });

  // What torch.tensor([value], dtype=...) gives in PyTorch 2.13; numbers with a fraction are an error here.
  it.each<[DType, number, number | undefined]>([
    ['int64', 1e30, undefined],
    ['int64', Number.NaN, undefined],
    ['int64', Infinity, undefined],
    ['int64', -0, 0],
    ['int32', 2 ** 31, undefined],
    ['int32', -(2 ** 31), -(2 ** 31)],
    ['int32', 1.5, undefined],
    ['int16', 40000, undefined],
    ['int8', 300, undefined],
    ['int8', -128, -128],
    ['uint8', 300, undefined],
    ['uint8', -1, 255],
    ['uint8', -300, undefined],
    ['uint16', 70000, undefined],
    ['uint16', -1, 65535],
    ['uint32', 2 ** 32, undefined],
    ['uint32', -1, 2 ** 32 - 1],
    ['float16', 70000, Infinity],
    ['bfloat16', 1e30, 1.0002555517425873e30],
    ['float32', 1e300, Infinity],
  ])('as %s, %s', (dtype, value, expected) => {
    if (expected === undefined) expect(() => torch.tensor([value], { dtype })).toThrow(ArgumentError);
    else expect(torch.tensor([value], { dtype }).item()).toBe(expected);
  });

  it('every number but 0 is true as bool', () => {
    expect(torch.tensor([0, 1, 256, Number.NaN, 0.5, -0], { dtype: 'bool' }).tolist()).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  it('float() and -0 are the ways to say float', () => {
    expect(torch.full([1], float(1)).dtype).toBe('float32');
    expect(torch.tensor(float(1)).dtype).toBe('float32');
  });
});

const i = () =>
  torch.tensor([
    [1, 2],
    [3, 4],
  ]);
const f = () => torch.ones([2, 2]);
const map = () => i().reshape([1, 1, 2, 2]);
const F = nn.functional;
/** Calls that fail because whole numbers make int64. */
const failing: Record<string, () => unknown> = {
  mean: () => i().mean(),
  std: () => i().std(),
  variance: () => torch.var(i()),
  softmax: () => i().softmax(0),
  logSoftmax: () => i().logSoftmax(0),
  matmul: () => i().matmul(f()),
  mm: () => torch.mm(f(), i()),
  addmm: () => torch.addmm(f(), i(), f()),
  linear: () => torch.linear(i(), f()),
  linear2: () => torch.linear(f(), i()),
  conv: () => torch.conv2d(map(), f().reshape([1, 1, 2, 2])),
  conv1: () => new nn.Conv2d(1, 1, 1).forward(map()),
  lin: () => new nn.Linear(2, 2).forward(i()),
  rg: () => i().requiresGrad_(),
  rg2: () => torch.tensor([1], { requiresGrad: true }),
  rg4: () => torch.full([2], 1, { requiresGrad: true }),
  param: () => new nn.Parameter(i()),
  mse: () => F.mseLoss(i(), i()),
  l1: () => F.l1Loss(i(), i()),
  smooth: () => F.smoothL1Loss(i(), i()),
  huber: () => F.huberLoss(i(), i()),
  kl: () => F.klDiv(i(), i()),
  bce: () => F.binaryCrossEntropy(f(), i()),
  bcel: () => F.binaryCrossEntropyWithLogits(f(), i()),
  ce: () => F.crossEntropy(i(), torch.tensor([0, 1])),
  nll: () => F.nllLoss(i(), torch.tensor([0, 1])),
  norm: () => i().norm(),
  vnorm: () => torch.linalgVectorNorm(i()),
  normalize: () => F.normalize(i()),
  dropout: () => torch.dropout(i(), 0.5, true),
  inadd: () => i().add_(0.5),
  inaddt: () => i().add_(f()),
  indiv: () => i().div_(2),
  inmul: () => i().mul_(f()),
  bn: () => new nn.BatchNorm1d(2).forward(i()),
  ln: () => new nn.LayerNorm(2).forward(i()),
  gn: () => new nn.GroupNorm(1, 2).forward(i()),
  gelu: () => torch.gelu(i()),
  silu: () => torch.silu(i()),
  elu: () => torch.elu(i()),
  leaky: () => torch.leakyRelu(i(), 0.1),
  sigmoid_: () => i().sigmoid_(),
  exp_: () => i().exp_(),
  rand: () => torch.randnLike(i()),
  normal_: () => i().normal_(),
  uniform_: () => i().uniform_(),
  bernoulli: () => torch.bernoulli(i()),
  multinomial: () => torch.multinomial(i(), 1),
  inverse: () => torch.inverse(i()),
  det: () => torch.det(i()),
  svd: () => torch.linalgSvd(i()),
  qr: () => torch.linalgQr(i()),
  chol: () => torch.linalgCholesky(i()),
  solve: () => torch.linalgSolve(i(), f()),
  adapt: () => new nn.AdaptiveAvgPool2d(1).forward(map()),
  interp: () => F.interpolate(map(), { scaleFactor: 2, mode: 'bilinear' }),
  cdist: () => torch.cdist(i(), i()),
  cos: () => F.cosineSimilarity(i(), i()),
  dot: () => torch.dot(i().reshape([-1]), f().reshape([-1])),
  bmm: () => torch.bmm(i().unsqueeze(0), f().unsqueeze(0)),
  baddbmm: () => torch.baddbmm(f().unsqueeze(0), i().unsqueeze(0), f().unsqueeze(0)),
  mv: () => torch.mv(i(), f().select(0, 0)),
  einsum: () => torch.einsum('ij,jk->ik', [i(), f()]),
  lerp: () => torch.lerp(i(), i(), 0.5),
  lerp2: () => torch.lerp(f(), i(), 0.5),
  quantile: () => torch.quantile(i(), 0.5),
  nanmean: () => torch.nanmean(i()),
  sdpa: () => F.scaledDotProductAttention(i(), i(), i()),
  sdpa2: () => F.scaledDotProductAttention(f().unsqueeze(0), i().unsqueeze(0), f().unsqueeze(0)),
  lstm: () => new nn.LSTM(2, 2).forward(i().unsqueeze(0)),
  prelu: () => new nn.PReLU().forward(i()),
  clamp_: () => i().clamp_({ min: 0.5 }),
  scatter: () => f().scatter(0, i().sub(i()), i()),
  indexadd: () => f().indexAdd(0, torch.tensor([0, 1]), i()),
  maskscatter: () => f().maskedScatter(f().gt(0), i()),
  histc: () => torch.histc(i(), 2),
  celu: () => torch.celu(i()),
  softplus: () => torch.softplus(i()),
  mish: () => torch.mish(i()),
  logsig: () => torch.logSigmoid(i()),
  hard: () => torch.hardswish(i()),
  pinv: () => torch.pinverse(i()),
  eig: () => torch.linalgEigh(i()),
  div_: () => i().div_(f()),
  pow_: () => i().pow_(0.5),
  pown: () => i().pow(-1),
  addcdiv: () => torch.addcdiv(i(), i(), i()),
  stdmean: () => torch.stdMean(i()),
  varmean: () => torch.varMean(i()),
  renorm: () => torch.renorm(i(), 2, 0, 1),
  conj: () => torch.complex(i(), i()),
  polar: () => torch.polar(i(), i()),
  ig: () => torch.igamma(i(), i()),
  inst: () => new nn.InstanceNorm1d(2).forward(i().unsqueeze(0)),
  gsampler: () => torch.gridSampler2d(map(), f().reshape([1, 1, 2, 2]), 0, 0, true),
  mha: () => new nn.MultiheadAttention(2, 1).forward(i().unsqueeze(0), i().unsqueeze(0), i().unsqueeze(0)),
  convt: () => new nn.ConvTranspose2d(1, 1, 1).forward(map()),
  xav: () => nn.init.xavierUniform_(i()),
  kai: () => nn.init.kaimingNormal_(i()),
  fake: () => torch.alphaDropout(i(), 0.5, true),
  fd: () => torch.featureDropout(i(), 0.5, true),
  ema: () => i().lerp_(f(), 0.5),
};
/** Integers are right there, and the error is another one. */
const others: Record<string, () => unknown> = {
  embedding: () => new nn.Embedding(3, 2).forward(f()),
  gather: () => f().gather(0, f()),
  nllTargets: () => F.nllLoss(f(), torch.ones([2])),
  index: () => i().at(f()),
};

describe('errors that follow from int64', () => {
  it.each(Object.keys(failing))('%s names the fix', (name) => {
    expect(failing[name]).toThrow(/tensor\(\[1, 2\]\) is int64, because .*\{ dtype: 'float32' \} or call \.float\(\)/);
  });

  it.each(Object.keys(others))('%s does not', (name) => {
    expect(others[name]).toThrow(/^(?!.*call \.float)/s);
  });
});
