import { describe, expect, it } from 'vitest';
import torch, { ConfigError, nn, optim } from '../../src/torch.js';

const setUp = (options: optim.GradScalerOptions = {}) => {
  const weight = new nn.Parameter(torch.tensor([1, 2], { dtype: 'float32' }));
  return {
    weight,
    optimizer: new optim.SGD([weight], { lr: 0.5 }),
    scaler: new optim.GradScaler({ initScale: 8, ...options }),
  };
};

describe('GradScaler', () => {
  it('leaves the step as it would be without scaling', () => {
    const { weight, optimizer, scaler } = setUp();
    scaler.scale(weight.square().sum()).backward();
    expect(weight.grad?.tolist()).toEqual([16, 32]);
    expect(scaler.step(optimizer)).toBe(true);
    expect(weight.grad?.tolist()).toEqual([2, 4]);
    expect(weight.tolist()).toEqual([0, 0]);
  });

  it('skips a step that overflowed, shrinks, and grows again after the interval', () => {
    const { weight, optimizer, scaler } = setUp({ growthInterval: 2 });
    scaler.scale(weight.sum().mul(Number.POSITIVE_INFINITY)).backward();
    expect(scaler.step(optimizer)).toBe(false);
    scaler.update();
    expect(weight.tolist()).toEqual([1, 2]);
    expect(scaler.getScale()).toBe(4);
    for (let i = 0; i < 2; i++) {
      optimizer.zeroGrad();
      scaler.scale(weight.sum()).backward();
      expect(scaler.step(optimizer)).toBe(true);
      scaler.update();
    }
    expect(scaler.getScale()).toBe(8);
  });

  it('unscales once for clipping, keeps its state, and refuses wrong use', () => {
    const { weight, optimizer, scaler } = setUp();
    scaler.scale(weight.sum()).backward();
    scaler.unscale_(optimizer);
    expect(weight.grad?.tolist()).toEqual([1, 1]);
    expect(() => scaler.unscale_(optimizer)).toThrow(ConfigError);
    scaler.step(optimizer);
    expect(weight.tolist()).toEqual([0.5, 1.5]);
    const other = new optim.GradScaler();
    other.loadStateDict(scaler.stateDict());
    expect(other.getScale()).toBe(8);
    expect(() => new optim.GradScaler({ growthFactor: 1 })).toThrow(ConfigError);
  });
});
