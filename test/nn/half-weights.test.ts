/** Copies of weights in half precision against autocast, which casts the weights in each pass. */
import { afterAll, describe, expect, it } from 'vitest';
import { HalfWeights } from '../../src/nn/half-weights.js';
import { BatchNorm2d, Conv2d, Linear, type Module } from '../../src/nn/index.js';
import { autocast, manualSeed, noGrad, type Tensor, functions as torch } from '../../src/tensor/index.js';

manualSeed(0);
const conv = new Conv2d(3, 8, 3);
const norm = new BatchNorm2d(8);
const linear = new Linear(8, 5);
const modules: Module[] = [conv, norm, linear];
const x = torch.randn([4, 3, 6, 6]);

const forward = () => linear.forward(norm.forward(conv.forward(x)).mean([2, 3]));

function results(run: (body: () => Tensor) => Tensor): Tensor[] {
  const logits = run(forward);
  logits.to('float32').square().sum().backward();
  const gradients = modules.flatMap((module) => [...module.parameters()].map((p) => p.grad?.clone() as Tensor));
  for (const module of modules) module.zeroGrad();
  return [logits, ...gradients];
}

describe.each(['bfloat16', 'float16'] as const)('weights in %s', (dtype) => {
  const half = new HalfWeights(dtype);
  afterAll(() => half.dispose());
  const cast = (body: () => Tensor) => autocast('cpu', body, { dtype });
  const kept = (body: () => Tensor) => half.within(() => autocast('cpu', body, { dtype }));
  const same = (a: Tensor[], b: Tensor[]) => a.map((tensor, i) => tensor.dtype === b[i]?.dtype && tensor.equal(b[i]));

  it('have the results and gradients of autocast, bitwise', () => {
    expect(same(results(kept), results(cast))).toEqual(Array(7).fill(true));
    expect([...half.heldTensors()]).toHaveLength(4);
  });

  it('follow the weights when they are told to', () => {
    const before = results(kept)[0] as Tensor;
    noGrad(() => linear.weight.add_(1));
    expect(results(kept)[0]?.equal(before)).toBe(true);
    half.update();
    expect(same(results(kept), results(cast))).toEqual(Array(7).fill(true));
  });

  it('are not used outside of autocast, nor where it is switched off', () => {
    expect(half.within(forward).dtype).toBe('float32');
    expect(kept(() => autocast('cpu', forward, { enabled: false })).dtype).toBe('float32');
  });
});
