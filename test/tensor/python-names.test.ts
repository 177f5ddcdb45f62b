import { describe, expect, it } from 'vitest';
import torch, { type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

type Told = ({ shape: number[]; values: number[] } | null)[];
type Limits = Record<string, Record<string, string>>;
const expected = fixture<
  Record<'unique' | 'uniqueRows' | 'uniqueColumns' | 'unravelIndex', Told> & { finfo: Limits; iinfo: Limits }
>('names');
const told = (result: (Tensor | null)[]): Told =>
  result.map((part) => part && { shape: part.shape, values: part.flatten().tolist() as number[] });

describe('names of the Python front end', () => {
  const rows = torch.tensor([
    [1, 2],
    [3, 4],
    [1, 2],
    [0, 9],
  ]);
  const all = { returnInverse: true, returnCounts: true } as const;

  it('unique returns what PyTorch returns', () => {
    const values = torch.arange(24).mul(7).remainder(5).reshape([4, 6]);
    expect(told(torch.unique(values, all))).toEqual(expected.unique);
    expect(told(torch.unique(rows, { dim: 0, ...all }))).toEqual(expected.uniqueRows);
    expect(told(torch.unique(rows.t(), { dim: 1, ...all }))).toEqual(expected.uniqueColumns);
    const { output, counts } = torch.unique(rows, { returnCounts: true });
    expect([output.tolist(), counts.tolist()]).toEqual([
      [0, 1, 2, 3, 4, 9],
      [1, 2, 2, 1, 1, 1],
    ]);
    expect(torch.unique(rows).equal(output)).toBe(true);
    expect(rows.unique({ returnInverse: true })).toHaveLength(2);
    expect(torch.tensor([1, 1, 2, 1]).uniqueConsecutive({ returnCounts: true })[1].tolist()).toEqual([2, 1, 1]);
    expect(() => torch.unique(rows, { returnCount: true } as never)).toThrow('returnCounts');
  });

  it('unravelIndex returns what PyTorch returns', () => {
    const positions = torch.tensor([
      [0, 5, 59],
      [17, 33, -1],
    ]);
    expect(told(torch.unravelIndex(positions, [3, 4, 5]))).toEqual(expected.unravelIndex);
    expect(() => torch.unravelIndex(positions, [3, 4])).toThrow('outside of the 12 elements');
    expect(() => torch.unravelIndex(positions.float(), [60])).toThrow('integer');
  });

  it('finfo and iinfo tell what PyTorch tells', () => {
    const told = <T extends object>(info: T) =>
      Object.fromEntries(Object.entries(info).map(([name, value]) => [name, value as number | bigint | string]));
    for (const [dtype, limits] of Object.entries(expected.finfo)) {
      const { dtype: real, smallestNormal, ...own } = told(torch.finfo(dtype as 'float32'));
      const { smallest_normal, ...theirs } = limits as Record<string, string>;
      expect([dtype, own]).toEqual([dtype, Object.fromEntries(Object.entries(theirs).map(([k, v]) => [k, Number(v)]))]);
      expect([smallestNormal, String(real).startsWith('complex')]).toEqual([Number(smallest_normal), false]);
    }
    for (const [dtype, limits] of Object.entries(expected.iinfo)) {
      const { dtype: _same, ...own } = told(torch.iinfo(dtype as 'int32'));
      expect([dtype, Object.fromEntries(Object.entries(own).map(([k, v]) => [k, String(v)]))]).toEqual([dtype, limits]);
    }
    expect(() => torch.finfo('int32' as never)).toThrow('iinfo');
    expect(() => torch.iinfo('float32' as never)).toThrow('finfo');
  });

  it('asTensor, broadcastShapes, namespaces and short forms do what they are short for', () => {
    const x = torch.randn([2, 3]);
    expect(torch.asTensor(x)).toBe(x);
    expect(torch.asTensor([1, 2], { dtype: 'float64' }).dtype).toBe('float64');
    expect(torch.isTensor(x) && !torch.isTensor([1])).toBe(true);
    expect(torch.broadcastShapes([2, 1, 4], [3, 1], [])).toEqual([2, 3, 4]);
    expect(() => torch.broadcastShapes([2], [3])).toThrow('[2], [3]');
    expect(torch.linalg.svdvals(x).equal(torch.linalgSvdvals(x))).toBe(true);
    expect(torch.fft.irfft(torch.fft.rfft(x)).shape).toEqual([2, 2]);
    expect(torch.special.i0(x).equal(torch.specialI0(x))).toBe(true);
    expect(x.mT.equal(x.t()) && x.mH.equal(x.t())).toBe(true);
    expect([x.nbytes, x.itemsize, x.isCpu, x.isCuda, x.nelement(), x.ndimension()]).toEqual([24, 4, true, false, 6, 2]);
    expect(x.newTensor([1, 2]).dtype).toBe('float32');
    expect(x.where(x.gt(0), 0).equal(x.relu())).toBe(true);
    expect([x.char().dtype, x.short().dtype, x.to(torch.double).dtype]).toEqual(['int8', 'int16', 'float64']);
  });

  it('random numbers in forkRng change nothing that is drawn later', () => {
    torch.manualSeed(7);
    expect(torch.initialSeed()).toBe(7n);
    const expectedNext = torch.rand([3]);
    torch.manualSeed(7);
    torch.random.forkRng(() => torch.rand([100]));
    expect(torch.rand([3]).equal(expectedNext)).toBe(true);
    const chosen = torch.seed();
    expect(torch.initialSeed()).toBe(chosen);
  });

  it('backward of several tensors adds their gradients', () => {
    const x = torch.ones([2], { requiresGrad: true });
    torch.autograd.backward([x.mul(2), x.sum()], [torch.ones([2]), null]);
    expect(x.grad?.tolist()).toEqual([3, 3]);
    expect(() => torch.autograd.backward(x.mul(2))).toThrow('[2]');
  });

  it('pcaLowrank finds the directions of centered data', () => {
    torch.manualSeed(2);
    const x = torch
      .randn([30, 2], { dtype: 'float64' })
      .matmul(torch.randn([2, 6], { dtype: 'float64' }))
      .add(5);
    const [u, s, v] = torch.pcaLowrank(x, { q: 2 });
    const centered = x.sub(x.mean([0], { keepdim: true }));
    expect(u.matmul(s.diagEmbed()).matmul(v.mT).allclose(centered)).toBe(true);
  });

  it.each([
    [12, 7],
    [5, 9],
  ])('svdLowrank finds a matrix of rank 3 again (%i x %i)', (m, n) => {
    torch.manualSeed(1);
    const low = torch.randn([2, m, 3], { dtype: 'float64' }).matmul(torch.randn([3, n], { dtype: 'float64' }));
    const [u, s, v] = torch.svdLowrank(low, { q: 4 });
    expect([u.shape, s.shape, v.shape]).toEqual([
      [2, m, 4],
      [2, 4],
      [2, n, 4],
    ]);
    expect(u.matmul(s.diagEmbed()).matmul(v.mT).allclose(low)).toBe(true);
    const [, exact] = torch.linalgSvd(low, false);
    expect(s.allclose(exact.narrow(1, 0, 4), 1e-6, 1e-9)).toBe(true);
    const centered = torch.svdLowrank(low, { q: 3, M: low.mean([1], { keepdim: true }) });
    expect(centered[0].shape).toEqual([2, m, 3]);
    expect(() => torch.svdLowrank(low, { q: 40 })).toThrow('up to');
  });

  it('dtypes are constants, matrices have T and H, and CUDA says whether it is there', () => {
    expect(torch.zeros([1], { dtype: torch.float64 }).dtype).toBe('float64');
    expect(torch.tensor([1.5]).to(torch.int32).tolist()).toEqual([1]);
    expect(() => torch.zeros([1], { dtype: torch.float as never })).toThrow('write torch.float32');
    expect(() => torch.zeros([1]).to(torch.float as never)).toThrow('write torch.float32');
    expect([torch.quint8, torch.bfloat16, torch.bool]).toEqual(['quint8', 'bfloat16', 'bool']);
    expect(torch.arange(6).reshape([2, 3]).T.tolist()).toEqual(torch.arange(6).reshape([2, 3]).t().tolist());
    const complex = torch.randn([2, 3], { dtype: 'complex64' });
    expect(complex.H.equal(complex.conj().t())).toBe(true);
    expect(torch.cuda.isAvailable()).toBe(torch.cuda.deviceCount() > 0);
    expect(torch.cuda.deviceCount()).toBe(torch.devices().filter((name) => name.startsWith('cuda')).length);
  });
});
