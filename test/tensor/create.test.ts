import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, type DType, ShapeError } from '../../src/torch.js';

describe('tensor()', () => {
  it('infers the dtype as PyTorch does', () => {
    expect(torch.tensor([1, 2]).dtype).toBe('int64');
    expect(torch.tensor([1, 2.5]).dtype).toBe('float32');
    expect(torch.tensor([true, false]).dtype).toBe('bool');
    expect(torch.tensor([]).dtype).toBe('float32');
    expect(torch.tensor(3).shape).toEqual([]);
    expect(torch.tensor([[], []]).shape).toEqual([2, 0]);
    expect(torch.tensor(new Float64Array([1])).dtype).toBe('float64');
    expect(torch.tensor(new Int16Array([1])).dtype).toBe('int16');
  });

  it.each<DType>(['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8'])(
    'holds whole numbers as %s',
    (dtype) => {
      expect(
        torch
          .tensor(
            [
              [1, 2],
              [3, 100],
            ],
            { dtype },
          )
          .tolist(),
      ).toEqual([
        [1, 2],
        [3, 100],
      ]);
    },
  );

  it('refuses what is not an array of numbers', () => {
    expect(() => torch.tensor([[1], [2, 3]])).toThrow(ShapeError);
    expect(() => torch.tensor([[1, 2], 3])).toThrow(ShapeError);
    expect(() => torch.tensor([1, 'x'] as unknown as number[])).toThrow(ArgumentError);
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    expect(() => torch.tensor(cyclic as number[])).toThrow(ArgumentError);
    expect(() => torch.tensor([1.5], { dtype: 'int64' })).toThrow(/not a whole number/);
    expect(() => torch.tensor([1], { dtype: 'float31' as DType })).toThrow(ArgumentError);
  });
});

describe('fromArray()', () => {
  it('copies, so that later changes of the array are not seen', () => {
    const array = Float32Array.of(1, 2, 3, 4);
    const tensor = torch.fromArray(array, [2, 2]);
    array[0] = 9;
    expect(tensor.tolist()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('shares the memory of a SharedArrayBuffer both ways, and no other', () => {
    const array = new Float32Array(new SharedArrayBuffer(8));
    const tensor = torch.fromArray(array, [2], { share: true });
    array[0] = 5;
    tensor.narrow(0, 1, 1).fill_(7);
    expect(tensor.tolist()).toEqual([5, 7]);
    expect([...array]).toEqual([5, 7]);
    expect(() => torch.fromArray(new Float32Array(2), [2], { share: true })).toThrow(ArgumentError);
  });

  it('views a tensor without a copy, and the view outlives the tensor', () => {
    const tensor = torch.zeros([3]);
    const view = tensor.viewTypedArray() as Float32Array;
    view[1] = 4;
    expect(tensor.tolist()).toEqual([0, 4, 0]);
    tensor.dispose();
    expect([...view]).toEqual([0, 4, 0]);
    expect(() => torch.zeros([2, 3]).t().viewTypedArray()).toThrow(/contiguous/);
  });

  it('refuses a shape of another size', () => {
    expect(() => torch.fromArray(new Float32Array(3), [2, 2])).toThrow(ShapeError);
  });

  it('reads bits as 16-bit floats', () => {
    expect(torch.fromArray(Uint16Array.of(0x3f80), [1], { dtype: 'bfloat16' }).tolist()).toEqual([1]);
    expect([...torch.tensor([1], { dtype: 'float16' }).toTypedArray()]).toEqual([0x3c00]);
  });
});

describe('reading', () => {
  it('gives values in row-major order whatever the strides', () => {
    const tensor = torch.arange(6).view(2, 3).t();
    expect(tensor.tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect([...(tensor.toTypedArray() as BigInt64Array)]).toEqual([0n, 3n, 1n, 4n, 2n, 5n]);
  });

  it('reads one element', () => {
    expect(torch.tensor([[2.5]]).item()).toBe(2.5);
    expect(torch.tensor(true).item()).toBe(true);
    expect(() => torch.zeros([2]).item()).toThrow(ShapeError);
  });

  it('prints values, shape and dtype', () => {
    expect(inspect(torch.tensor([1.5, 2]))).toBe('tensor([1.5000, 2.0000])');
    expect(inspect(torch.ones([1], { requiresGrad: true }).mul(2))).toContain('gradFn=MulBackward');
  });

  it('converts and moves', () => {
    const tensor = torch.tensor([1.7, -2.2]);
    expect(tensor.to('int32').tolist()).toEqual([1, -2]);
    expect(tensor.double().dtype).toBe('float64');
    expect(tensor.to({ dtype: 'float64', device: 'cpu' }).dtype).toBe('float64');
    expect(tensor.to(torch.zeros([1], { dtype: 'int64' })).dtype).toBe('int64');
    expect(() => tensor.to('nowhere')).toThrow();
  });
});
