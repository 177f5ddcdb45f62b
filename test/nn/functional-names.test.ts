import { describe, expect, it } from 'vitest';
import torch, { nn } from '../../src/torch.js';

const F = nn.functional;

describe('names of torch.nn.functional', () => {
  const x = torch.linspace(-2, 2, 12).reshape([3, 4]);

  it('lead to what modules compute', () => {
    expect(F.softmin(x, 1).equal(new nn.Softmin(1).forward(x))).toBe(true);
    expect(F.softsign(x).equal(new nn.Softsign().forward(x))).toBe(true);
    expect(F.tanhshrink(x).equal(new nn.Tanhshrink().forward(x))).toBe(true);
    expect(F.sigmoid(x).equal(x.sigmoid())).toBe(true);
    expect(F.leakyRelu(x, 0.2).equal(new nn.LeakyReLU(0.2).forward(x))).toBe(true);
    const layer = new nn.Embedding(5, 3);
    const rows = torch.tensor([4, 0, 4]);
    expect(F.embedding(rows, layer.weight).equal(layer.forward(rows))).toBe(true);
  });

  it('gumbelSoftmax samples classes by their probabilities', () => {
    torch.manualSeed(5);
    const probabilities = torch.tensor([0.1, 0.2, 0.7]);
    const logits = probabilities.log().expand([20_000, 3]).contiguous();
    logits.requiresGrad = true;
    const hard = F.gumbelSoftmax(logits, { hard: true });
    expect(hard.sum(1).eq(1).all().item()).toBe(true);
    // Three standard deviations of the share of 0.7 are 0.0097.
    expect(hard.mean([0]).sub(probabilities).abs().max().item()).toBeLessThan(0.01);
    hard.select(1, 0).sum().backward();
    expect(logits.grad?.abs().sum().item()).toBeGreaterThan(0);
    expect(F.gumbelSoftmax(logits, { tau: 0.5 }).sum(1).sub(1).abs().max().item()).toBeLessThan(1e-5);
    expect(() => F.gumbelSoftmax(logits, { temperature: 1 } as never)).toThrow('temperature');
  });

  it('maxUnpool2d puts values back to where maxPool2d found them', () => {
    const map = torch.arange(16, { dtype: 'float32' }).reshape([1, 1, 4, 4]);
    const [values, indices] = torch.maxPool2dWithIndices(map, [2, 2]);
    const back = F.maxUnpool2d(values, indices, 2);
    expect(back.gt(0).mul(map).equal(back)).toBe(true);
    expect(back.sum().item()).toBe(values.sum().item());
    expect(() => F.maxUnpool2d(values, indices, 2, { outputSize: [9, 4] })).toThrow('not of 9');
  });
});
