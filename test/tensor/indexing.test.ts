import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, IndexError, slice, type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

const { selected, written, printed } = fixture<{
  selected: Record<string, { shape: number[]; values: number[] }>;
  written: number[];
  printed: Record<string, string>;
}>('tensor');

const base = torch.arange(2 * 3 * 4 * 5).reshape([2, 3, 4, 5]);
const mask = base.at(0, slice(), slice(), 0).remainder(8).eq(0);
const ids = torch.tensor([
  [0, 2],
  [1, 1],
]);

const cases: Record<string, () => Tensor> = {
  number: () => base.at(1),
  negative: () => base.at(-1, -2),
  ellipsis: () => base.at('...', 2),
  slices: () => base.at(slice(), slice(1, null), slice(null, null, 2), slice(1, 5, 3)),
  open: () => base.at(0, slice(2), slice(-3, null)),
  new: () => base.at(null, 0, slice(), null),
  array: () => base.at(slice(), [2, 0]),
  tensor: () => base.at(1, ids),
  two: () => base.at(slice(), [0, 2], [1, 3]),
  apart: () => base.at(0, [0, 2], slice(), [1, 3]),
  mask: () => base.at(slice(), mask),
  maskFirst: () => base.at(base.gt(110)),
  maskThenNumber: () => base.at(1, mask, 2),
  true: () => base.at(0, 0, true),
};

describe('at()', () => {
  it.each(Object.entries(cases))('selects what PyTorch selects: %s', (name, select) => {
    const { shape, values } = selected[name] as { shape: number[]; values: number[] };
    const result = select();
    expect(result.shape).toEqual(shape);
    expect(result.flatten().tolist()).toEqual(values);
  });

  it('has a case for every fixture', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(selected));
  });

  it('gives views where it can, so that gradients and writes go through', () => {
    const x = torch.zeros([3, 4], { dtype: 'float64', requiresGrad: true });
    x.at(1, slice(1, 3)).sum().backward();
    expect(x.grad?.tolist()).toEqual([
      [0, 0, 0, 0],
      [0, 1, 1, 0],
      [0, 0, 0, 0],
    ]);
    const y = torch.zeros([2, 2]);
    y.at(0).fill_(3);
    expect(y.tolist()).toEqual([
      [3, 3],
      [0, 0],
    ]);
  });

  it('refuses what is out of range or no index', () => {
    expect(() => base.at(2)).toThrow(IndexError);
    expect(() => base.at(0, 0, 0, 0, 0)).toThrow(/Too many indices/);
    expect(() => base.at('...', 0, '...')).toThrow(/only once/);
    expect(() => base.at(1.5)).toThrow(ArgumentError);
    expect(() => base.at(slice(0, 2, -1))).toThrow(/step/);
    expect(() => base.at([0.5])).toThrow(ArgumentError);
    expect(() => base.at({} as never)).toThrow(ArgumentError);
    expect(() => base.at([7])).toThrow(IndexError);
  });
});

describe('put()', () => {
  it('writes as PyTorch does', () => {
    const target = base.clone();
    target.put([0, '...', slice(1, 3)], -1);
    target.put([slice(), 0, [1, 2]], torch.tensor([7, 8, 9, 10, 11]));
    target.put(target.gt(115), 0);
    expect(target.flatten().tolist()).toEqual(written);
  });
});

describe('iteration', () => {
  it('gives the slices of the first dimension', () => {
    expect([...torch.arange(6).view(3, 2)].map((row) => row.tolist())).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(() => [...torch.tensor(1)]).toThrow(ArgumentError);
  });
});

describe('printing', () => {
  const tensors: Record<string, Tensor> = {
    scalar: torch.tensor(2.5),
    whole: torch.tensor([1, 2, -30], { dtype: 'float32' }),
    mixed: torch.tensor([
      [1.5, -2.25],
      [100.125, 0],
    ]),
    small: torch.tensor([1e-6, 1, 20000]),
    special: torch.tensor([1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
    integers: torch.tensor([
      [1, 20],
      [-300, 4],
    ]),
    bools: torch.tensor([true, false]),
    double: torch.tensor([0.1], { dtype: 'float64' }),
    cube: torch.arange(12).reshape([2, 2, 3]),
    empty: torch.zeros([2, 0]),
    long: torch.arange(30),
    large: torch.arange(1200).reshape([30, 40]),
  };

  it.each(Object.entries(tensors))('is that of PyTorch: %s', (name, tensor) => {
    const ours = String(tensor)
      .replace(/dtype=(\w+)/, 'dtype=torch.$1')
      .replace('size=[2, 0], dtype=torch.float32', 'size=(2, 0)')
      .replace(/\btrue\b/g, 'True')
      .replace(/\bfalse\b/g, 'False');
    expect(ours).toBe(printed[name]);
  });
});
