import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, complexNumber, dispatch, type Tensor } from '../../src/torch.js';

const list = (tensor: Tensor) => tensor.tolist();

describe('overloads', () => {
  const x = torch.tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  it('takes tensors, numbers and keyword options', () => {
    expect(list(x.add(x))).toEqual([
      [2, 4, 6],
      [8, 10, 12],
    ]);
    expect(list(x.add(1))).toEqual([
      [2, 3, 4],
      [5, 6, 7],
    ]);
    expect(list(x.add(x, { alpha: 2 }))).toEqual([
      [3, 6, 9],
      [12, 15, 18],
    ]);
    expect(list(torch.sub(x, 1, { alpha: 2 }))).toEqual([
      [-1, 0, 1],
      [2, 3, 4],
    ]);
  });

  it('spreads one number over a list of fixed length, and takes a list as separate numbers', () => {
    expect(list(x.sum(1))).toEqual([6, 15]);
    expect(x.sum([0, 1]).item()).toBe(21);
    expect(x.sum(1, { keepdim: true }).shape).toEqual([2, 1]);
    expect(x.view(3, 2).shape).toEqual([3, 2]);
    expect(x.view([3, -1]).shape).toEqual([3, 2]);
    expect(torch.zeros(2, 4).shape).toEqual([2, 4]);
    expect(x.permute(1, 0).shape).toEqual([3, 2]);
  });

  it('gives several results as an array with names', () => {
    const { values, indices } = x.max(1);
    expect(list(values)).toEqual([3, 6]);
    expect(list(indices)).toEqual([2, 2]);
    const [top] = x.topk(1, 1);
    expect(list(top as Tensor)).toEqual([[3], [6]]);
    expect(x.unbind(0)).toHaveLength(2);
  });

  it('gives the object itself back from operators in place', () => {
    const y = torch.zeros([3]);
    expect(y.add_(2)).toBe(y);
    expect(y.addcmul_(y, y, { value: 0.5 })).toBe(y);
    expect(list(y)).toEqual([4, 4, 4]);
    const out = torch.empty([0]);
    expect(torch.add(y, y, { out })).toBe(out);
    expect(list(out)).toEqual([8, 8, 8]);
  });

  it('keeps whole numbers whole unless told otherwise', () => {
    expect(torch.full([1], 2).dtype).toBe('int64');
    expect(torch.full([1], torch.float(2)).dtype).toBe('float32');
    expect(torch.full([1], 2, { dtype: 'float64' }).dtype).toBe('float64');
    expect(torch.arange(0, 3).dtype).toBe('int64');
    expect(torch.mul(torch.tensor([1, 2]), 2).dtype).toBe('int64');
    expect(torch.mul(torch.tensor([1, 2]), 2.5).dtype).toBe('float32');
  });

  it('takes lists of tensors, optional tensors, dtypes, memory formats and integers beyond 2^53', () => {
    expect(torch.cat([x, x], 1).shape).toEqual([2, 6]);
    expect(list(torch.index(x, [null, torch.tensor([0, 2])]))).toEqual([
      [1, 3],
      [4, 6],
    ]);
    expect(x.sum({ dtype: 'float64' }).dtype).toBe('float64');
    const image = torch.zeros([1, 2, 3, 4]).contiguous({ memoryFormat: 'channelsLast' });
    expect(image.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
    expect(image.strides).toEqual([24, 1, 8, 2]);
    expect(torch.full([], 2n ** 60n + 1n).item()).toBe(2n ** 60n + 1n);
    expect(
      torch
        .full([], 2n ** 60n)
        .add(1n)
        .item(),
    ).toBe(2n ** 60n + 1n);
    expect(torch.full([], complexNumber(1, 2)).item()).toEqual([1, 2]);
  });

  it('calls one overload by its full name', () => {
    expect(list(dispatch('aten::add.Tensor', x, x, { alpha: 3 }) as Tensor)).toEqual([
      [4, 8, 12],
      [16, 20, 24],
    ]);
    expect(() => dispatch('aten::add.Nothing', x)).toThrow(/no operator aten::add.Nothing/);
  });

  it('names the call and the candidates where nothing fits', () => {
    const wrong = () => (x.add as (other: unknown) => Tensor)('one');
    expect(wrong).toThrow(ArgumentError);
    expect(wrong).toThrow(
      /aten::add does not take \(Tensor, "one"\)[\s\S]*aten::add.Tensor\(Tensor self, Tensor other, Scalar alpha\?\)/,
    );
    expect(() => (x.sum as (options: object) => Tensor)({ keepdimm: true })).toThrow(/keepdimm: true/);
    expect(() => torch.zeros([Number.NaN])).toThrow(ArgumentError);
    expect(() => torch.zeros([1.5])).toThrow(ArgumentError);
    expect(() => torch.zeros([-1])).toThrow(/non-negative/);
    expect(() => torch.cat([x, 3 as unknown as Tensor])).toThrow(ArgumentError);
  });

  it('looks at every call anew although its kinds are remembered', () => {
    const take = (value: unknown) => (torch.cat as (list: unknown) => Tensor)(value);
    expect(take([x, x]).shape).toEqual([4, 3]);
    expect(() => take([x, 'x'])).toThrow(ArgumentError);
  });
});

describe('generated surface', () => {
  it('is what the schemas of this libtorch give', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/generate-ops.mjs', '--check'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
