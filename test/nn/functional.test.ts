import { describe, expect, it } from 'vitest';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

const { functional: F } = nn;
const { functional } = fixture<{ functional: Record<string, { value: number; gradient: number[] }> }>('nn');
const y = torch.tensor([0, 4, 2, 2, 1, 3]);
const q = F.softmax(ramp([6, 5], { step: 59 }), 1);

const cases: Record<string, (x: Tensor) => Tensor> = {
  crossEntropy: (x) => F.crossEntropy(x, y),
  crossEntropySmoothed: (x) => F.crossEntropy(x, y, { labelSmoothing: 0.1, reduction: 'sum' }),
  crossEntropyWeighted: (x) => F.crossEntropy(x, y, { weight: ramp([5], { offset: 2 }), ignoreIndex: 2 }),
  crossEntropySoft: (x) => F.crossEntropy(x, q),
  mse: (x) => F.mseLoss(x, q),
  klDiv: (x) => F.klDiv(F.logSoftmax(x, 1), q, { reduction: 'batchmean' }),
};

describe('functional losses agree with PyTorch in float64', () => {
  it.each(Object.entries(cases))('%s', (name, compute) => {
    const expected = functional[name] as { value: number; gradient: number[] };
    const x = ramp([6, 5], { step: 53, scale: 2 }).requiresGrad_();
    const value = compute(x);
    expectCloseNumber(Number(value.item()), expected.value, 1e-12);
    value.backward();
    expectClose(x.grad as Tensor, expected.gradient, 1e-12);
  });

  it('refuses an unknown reduction', () => {
    expect(() => F.mseLoss(q, q, { reduction: 'average' as 'mean' })).toThrow(/'none', 'mean' or 'sum'/);
  });
});
