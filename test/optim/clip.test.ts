import { describe, expect, it } from 'vitest';
import torch, { nn, optim, type Tensor } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

const expected = fixture<Record<string, { total: number | null; gradients: number[][] }>>('clip');

function parameters(): nn.Parameter[] {
  const params = [
    new nn.Parameter(ramp([3, 4], { step: 41 })),
    new nn.Parameter(ramp([5], { step: 43 })),
    new nn.Parameter(ramp([2], { step: 47 })),
  ];
  for (const [i, param] of params.slice(0, 2).entries()) param.grad = ramp(param.shape, { scale: 3, step: 53 + i });
  return params;
}

const cases: Record<string, (params: nn.Parameter[]) => Tensor | undefined> = {
  norm2: (params) => optim.clipGradNorm_(params, 1.5),
  loose: (params) => optim.clipGradNorm_(params, 1000),
  norm1: (params) => optim.clipGradNorm_(params, 2, { normType: 1 }),
  largest: (params) => optim.clipGradNorm_(params, 0.5, { normType: Number.POSITIVE_INFINITY }),
  value: (params) => {
    optim.clipGradValue_(params, 0.7);
    return undefined;
  },
};

describe('clipping', () => {
  it.each(Object.entries(cases))('does what PyTorch does: %s', (name, clip) => {
    const params = parameters();
    const total = clip(params);
    const { total: norm, gradients } = expected[name] as { total: number | null; gradients: number[][] };
    if (total) expectCloseNumber(Number(total.item()), norm as number, 1e-12);
    for (const [i, gradient] of gradients.entries()) expectClose(params[i]?.grad as Tensor, gradient, 1e-12);
    expect(params[2]?.grad).toBeNull();
  });

  it('can refuse a norm that is NaN, and changes nothing then', () => {
    const params = parameters();
    params[0]?.grad?.fill_(Number.NaN);
    const before = params[1]?.grad?.clone();
    expect(() => optim.clipGradNorm_(params, 1, { errorIfNonfinite: true })).toThrow(/NaN/);
    expect(params[1]?.grad?.equal(before as Tensor)).toBe(true);
    expect(optim.clipGradNorm_([], 1).item()).toBe(0);
    expect(() => optim.clipGradNorm_(params, -1)).toThrow(/at least 0/);
    expect(() => optim.clipGradValue_(params, Number.NaN)).toThrow(/at least 0/);
  });

  it('frees its intermediates', () => {
    const params = parameters();
    const before = torch.memory().tensors;
    torch.scope(() => {
      optim.clipGradNorm_(params, 1);
      optim.clipGradValue_(params, 1);
    });
    expect(torch.memory().tensors).toBe(before);
  });
});
