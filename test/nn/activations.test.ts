import { describe, expect, it } from 'vitest';
import { nn, type Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

const { activations } = fixture<{ activations: Record<string, { output: number[]; input: number[] }> }>('layers');

const cases: Record<string, nn.Layer> = {
  relu6: new nn.ReLU6(),
  leakyRelu: new nn.LeakyReLU(),
  elu: new nn.ELU(0.7),
  selu: new nn.SELU(),
  gelu: new nn.GELU(),
  geluTanh: new nn.GELU({ approximate: 'tanh' }),
  silu: new nn.SiLU(),
  mish: new nn.Mish(),
  sigmoid: new nn.Sigmoid(),
  tanh: new nn.Tanh(),
};

describe('activations agree with PyTorch in float64', () => {
  it('has a case for every fixture', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(activations).sort());
  });

  it.each(Object.entries(cases))('%s: output and gradient', (name, layer) => {
    const expected = activations[name] as { output: number[]; input: number[] };
    const x = ramp([4, 6], { step: 17, scale: 4 }).requiresGrad_();
    const y = layer.forward(x);
    y.mul(ramp(y.shape, { step: 29 }))
      .sum()
      .backward();
    expectClose(y, expected.output, 1e-9);
    expectClose(x.grad as Tensor, expected.input, 1e-9);
  });
});
