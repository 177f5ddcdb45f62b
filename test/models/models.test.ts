import { describe, expect, it } from 'vitest';
import { ConfigError, models } from '../../src/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface ResNetCase {
  keys: string[];
  logits: number[];
  loss: number;
  gradientNorms: Record<string, number>;
  fc: number[];
  evaluated: number[];
}
const { resnet8, counts } = fixture<{ resnet8: ResNetCase; counts: Record<string, number> }>('nn');

describe('registry', () => {
  it.each(models.list())('%s runs forward and backward, and hands out its features', (name) => {
    // The deepest ones differ from the others only in how often a block is repeated.
    if (/resnet(44|56|110)$/.test(name)) return expect(models.create(name, { numClasses: 3 }).numClasses).toBe(3);
    torch.scope(() => {
      const model = models.create(name, { numClasses: 7, inChannels: 1 });
      const { map, pooled, logits, stages } = model.forwardFeatures(torch.randn([2, 1, 16, 16]));
      expect(logits.shape).toEqual([2, 7]);
      expect(pooled.shape).toEqual([2, model.featureChannels]);
      expect(map?.shape.slice(0, 2)).toEqual([2, model.featureChannels]);
      expect(stages.at(-1)).toBe(map);
      logits.sum().backward();
      for (const [key, parameter] of model.namedParameters())
        expect([key, parameter.grad?.shape]).toEqual([key, parameter.shape]);
      model.dispose();
    });
  });

  it('suggests names', () => {
    expect(() => models.create('resnet9', { numClasses: 3 })).toThrow(ConfigError);
    expect(() => models.create('resnet8x', { numClasses: 3 })).toThrow(/Did you mean resnet8/);
    expect(() => models.create('resnet8', { numClasses: 0 })).toThrow(/numClasses/);
  });
});

describe('CIFAR ResNets', () => {
  it.each(Object.entries(counts))('%s has as many parameters as the original', (name, count) => {
    expect(models.create(name, { numClasses: 100 }).numParameters()).toBe(count);
  });

  it('computes and learns as the original in float64', () => {
    const model = models.create('resnet8', { numClasses: 10 }).to({ dtype: 'float64' }).train();
    expect(Object.keys(model.stateDict())).toEqual(resnet8.keys);
    torch.noGrad(() => {
      for (const [i, p] of [...model.parameters()].entries()) {
        const fan = p.ndim > 1 ? p.numel() / (p.shape[0] as number) : 1;
        p.copy_(ramp(p.shape, { scale: 1 / fan ** 0.5, offset: p.ndim === 1 ? 0.5 : 0, step: 31 + 2 * i }));
      }
    });
    const images = ramp([2, 3, 12, 12], { step: 37 });
    const logits = model.forward(images);
    const loss = nn.functional.crossEntropy(logits, torch.tensor([3, 7]));
    loss.backward();
    expectClose(logits, resnet8.logits, 1e-9);
    expectCloseNumber(Number(loss.item()), resnet8.loss, 1e-9);
    for (const [key, p] of model.namedParameters())
      expectCloseNumber(Number(p.grad?.norm().item()), resnet8.gradientNorms[key] as number, 1e-9);
    const fc = [...model.namedParameters()].find(([key]) => key === 'fc.weight')?.[1];
    expectClose(fc?.grad as Tensor, resnet8.fc, 1e-9);
    expectClose(model.eval().forward(images), resnet8.evaluated, 1e-9);
  });
});
