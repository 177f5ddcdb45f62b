import { describe, expect, it } from 'vitest';
import torch, { ArgumentError, type Tensor } from '../../src/torch.js';

const leaf = (values: number[]) => torch.tensor(values, { dtype: 'float64', requiresGrad: true });

describe('backward', () => {
  it('adds gradients up in the leaves', () => {
    const x = leaf([1, 2, 3]);
    x.mul(x).sum().backward();
    expect(x.grad?.tolist()).toEqual([2, 4, 6]);
    x.sum().backward();
    expect(x.grad?.tolist()).toEqual([3, 5, 7]);
    x.grad = null;
    expect(x.grad).toBeNull();
  });

  it('takes a gradient for outputs of several elements, and can keep the graph', () => {
    const x = leaf([1, 2]);
    const y = x.pow(3);
    expect(() => y.backward()).toThrow(/scalar/);
    y.backward(torch.tensor([1, 10], { dtype: 'float64' }), { retainGraph: true });
    expect(x.grad?.tolist()).toEqual([3, 120]);
    y.backward(torch.tensor([1, 0], { dtype: 'float64' }));
    expect(x.grad?.tolist()).toEqual([6, 120]);
    expect(() => y.sum().backward()).toThrow(/second time/);
  });

  it('agrees with finite differences on a composite expression', () => {
    const at = [0.3, -0.7, 1.1];
    const f = (values: Tensor) => values.sin().mul(values.exp()).div(values.square().add(1)).sum();
    const x = leaf(at);
    f(x).backward();
    const step = 1e-6;
    for (const i of at.keys()) {
      const shifted = (by: number) => Number(f(leaf(at.map((value, j) => (i === j ? value + by : value)))).item());
      const slope = (shifted(step) - shifted(-step)) / (2 * step);
      expect((x.grad as Tensor).select(0, i).item()).toBeCloseTo(slope, 7);
    }
  });
});

describe('grad', () => {
  it('does not touch the leaves, and goes to higher orders', () => {
    const x = leaf([2]);
    const [first] = torch.grad(x.pow(4).sum(), x, { createGraph: true });
    expect(first?.tolist()).toEqual([32]);
    const [second] = torch.grad((first as Tensor).sum(), x);
    expect(second?.tolist()).toEqual([48]);
    expect(x.grad).toBeNull();
  });

  it('is null for inputs that do not count, where that is allowed', () => {
    const [x, y] = [leaf([1]), leaf([1])];
    expect(torch.grad(x.sum(), [x, y], { allowUnused: true })[1]).toBeNull();
    expect(() => torch.grad(x.sum(), [x, y])).toThrow(/unused|not have been used/);
  });
});

describe('modes', () => {
  it('switch recording and come back, also after an error', () => {
    const x = leaf([1]);
    expect(torch.noGrad(() => x.mul(2).requiresGrad)).toBe(false);
    expect(torch.noGrad(() => torch.enableGrad(() => x.mul(2).requiresGrad))).toBe(true);
    expect(() =>
      torch.noGrad(() => {
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(torch.isGradEnabled()).toBe(true);
    expect(() => torch.noGrad(async () => 1)).toThrow(ArgumentError);
    expect(torch.isGradEnabled()).toBe(true);
  });

  it('make inference tensors that can never take part in a graph', () => {
    const y = torch.inferenceMode(() => torch.ones([2]));
    expect(() => leaf([1, 2]).mul(y).sum().backward()).toThrow(/[Ii]nference/);
  });

  it('detach and requiresGrad', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    expect(y.isLeaf).toBe(false);
    expect(y.gradFn).toMatch(/^MulBackward/);
    expect(y.detach().requiresGrad).toBe(false);
    expect(() => {
      y.requiresGrad = false;
    }).toThrow(/detach/);
    expect(() => torch.tensor([1]).requiresGrad_()).toThrow(/floating-point/);
    y.retainGrad();
    y.sum().backward();
    expect(y.grad?.tolist()).toEqual([1]);
  });
});
