import { describe, expect, it } from 'vitest';
import torch, { type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

type Told = ({ shape: number[]; values: number[] } | null)[];
const expected = fixture<Record<'unique' | 'uniqueRows' | 'uniqueColumns' | 'unravelIndex', Told>>('names');
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
    expect([torch.quint8, torch.bfloat16, torch.bool]).toEqual(['quint8', 'bfloat16', 'bool']);
    expect(torch.arange(6).reshape([2, 3]).T.tolist()).toEqual(torch.arange(6).reshape([2, 3]).t().tolist());
    const complex = torch.randn([2, 3], { dtype: 'complex64' });
    expect(complex.H.equal(complex.conj().t())).toBe(true);
    expect(torch.cuda.isAvailable()).toBe(torch.cuda.deviceCount() > 0);
    expect(torch.cuda.deviceCount()).toBe(torch.devices().filter((name) => name.startsWith('cuda')).length);
  });
});
