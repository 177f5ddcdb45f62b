import { describe, expect, it } from 'vitest';
import torch, { type Tensor } from '../../src/torch.js';

/** What the same call gives every time, from the first on. */
function repeatedly(call: () => Tensor, times = 5): Tensor[] {
  return Array.from({ length: times }, call);
}

describe('calls that are repeated', () => {
  const x = torch.arange(24, { dtype: 'float32' }).reshape([2, 3, 4]);

  it('give what the first gave, with lists, flags and numbers', () => {
    const image = torch.randn([1, 2, 6, 6]);
    const kernel = torch.randn([4, 1, 3, 3]);
    for (const call of [
      () => x.sum([0, 2]),
      () => x.sum([0, 2], true),
      () => x.sum(1),
      () => torch.conv2d(image, kernel, null, [2, 1], [1, 1], [1, 1], 2),
      () => torch.conv2d(image, kernel, null, 1, 1, 1, 2),
      () => x.mul(0.5),
      () => x.to('float64'),
    ]) {
      const [first, ...others] = repeatedly(call) as [Tensor, ...Tensor[]];
      for (const other of others) expect([other.dtype, other.equal(first)]).toEqual([first.dtype, true]);
    }
  });

  it('tell apart what differs in kind or value only', () => {
    const results = new Map<string, () => unknown>([
      ['[[12,15,18,21],[48,51,54,57]]', () => x.sum([1])],
      ['[60,92,124]', () => x.sum([0, 2])],
      ['[[[60],[92],[124]]]', () => x.sum([0, 2], true)],
    ]);
    for (let round = 0; round < 4; round++)
      for (const [expected, call] of results) expect(JSON.stringify((call() as Tensor).tolist())).toBe(expected);
    const whole = torch.tensor([1, 2], { dtype: 'int64' });
    for (let round = 0; round < 4; round++) {
      expect([whole.mul(2).dtype, whole.mul(2.5).dtype, whole.mul(true).dtype]).toEqual(['int64', 'float32', 'int64']);
      expect(Object.is(torch.zeros([]).copysign(-0).item(), -0)).toBe(true);
      expect(Object.is(torch.zeros([]).copysign(0).item(), 0)).toBe(true);
    }
  });

  it('do not keep a list that the caller changes afterwards', () => {
    const dims = [0];
    repeatedly(() => x.sum(dims));
    dims[0] = 1;
    expect(x.sum(dims).shape).toEqual([2, 4]);
    dims.push(2);
    expect(x.sum(dims).shape).toEqual([2]);
  });

  it('record gradients, and name what is wrong', () => {
    const leaf = torch.ones([2, 3], { requiresGrad: true });
    repeatedly(() => leaf.sum([1]));
    leaf.sum([1]).mul(2).sum([0]).backward();
    expect(leaf.grad?.tolist()).toEqual([
      [2, 2, 2],
      [2, 2, 2],
    ]);
    const dead = torch.ones([2, 3]);
    dead.dispose();
    expect(() => dead.sum([1])).toThrow(/'self' cannot be used: it was disposed/);
    expect(() => torch.ones([2]).sum([1])).toThrow(/[Dd]imension/);
    expect(() => x.sum(['1'] as unknown as number[])).toThrow(/does not take/);
  });

  it('whose numbers are new each time are still right when no more are prepared', () => {
    for (let i = 0; i < 200; i++) {
      const value = 1 + i / 7;
      for (let twice = 0; twice < 2; twice++)
        expect(Number(torch.ones([], { dtype: 'float64' }).mul(value).item())).toBe(value);
    }
  });
});

describe('numbers in the place of tensors', () => {
  it('give way in type promotion, as in PyTorch', () => {
    const whole = torch.arange(3);
    const half = torch.ones([2], { dtype: 'float16' });
    const call = (name: string, x: Tensor, value: number | boolean) => torch.dispatch(name, x, value) as Tensor;
    for (const [name, x, value, dtype] of [
      ['aten::add.Tensor', whole, 2, 'int64'],
      ['aten::subtract.Tensor', whole, 2.5, 'float32'],
      ['aten::mul.Tensor', half, 2.5, 'float16'],
      ['aten::true_divide.Tensor', whole, true, 'float32'],
      ['aten::add.Tensor', torch.ones([], { dtype: 'float16' }), 0.5, 'float16'],
    ] as const)
      expect([name, call(name, x, value).dtype]).toEqual([name, dtype]);
    expect(call('aten::subtract.Tensor', whole, 2.5).tolist()).toEqual([-2.5, -1.5, -0.5]);
    expect(() => call('aten::maximum', whole, 1)).toThrow(/does not take/);
  });
});

describe('memory without any scope', () => {
  it('stays bounded when the event loop turns now and then', async () => {
    const a = torch.ones([8, 8]);
    const before = torch.memory().tensors;
    let most = 0;
    for (let done = 0; done < 400; done++) {
      for (let i = 0; i < 1_000; i++) a.add(a);
      if (done % 20 === 0) most = Math.max(most, torch.memory().tensors - before);
      await new Promise(setImmediate);
    }
    // The collector is told what tensors weigh, so that it runs every few dozen megabytes.
    expect(most).toBeLessThan(200_000);
  });
});
