import { describe, expect, it } from 'vitest';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { expectClose, expectVanishing } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface LayerCase {
  output: number[];
  evaluated: number[];
  input: number[];
  gradients: Record<string, number[]>;
  buffers: Record<string, number[]>;
  keys: string[];
}

const { layers, inits } = fixture<{
  layers: Record<string, LayerCase>;
  inits: Record<string, Record<string, number[]>>;
}>('nn');

const cases: Record<string, { make: () => nn.Layer; input: number[] }> = {
  conv2d: { make: () => new nn.Conv2d(4, 6, 3, { stride: 2, padding: 1 }), input: [2, 4, 7, 7] },
  conv2dGrouped: {
    make: () => new nn.Conv2d(4, 6, [1, 3], { padding: [0, 1], groups: 2, bias: false }),
    input: [2, 4, 5, 5],
  },
  linear: { make: () => new nn.Linear(5, 3), input: [4, 5] },
  batchNorm2d: { make: () => new nn.BatchNorm2d(3), input: [4, 3, 5, 5] },
  batchNorm2dAverage: { make: () => new nn.BatchNorm2d(3, { momentum: null, affine: false }), input: [4, 3, 5, 5] },
  batchNorm1d: { make: () => new nn.BatchNorm1d(3, { eps: 1e-3, momentum: 0.3 }), input: [6, 3] },
  maxPool2d: { make: () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }), input: [2, 3, 7, 7] },
  avgPool2d: { make: () => new nn.AvgPool2d(2), input: [2, 3, 6, 6] },
  adaptiveAvgPool2d: { make: () => new nn.AdaptiveAvgPool2d([2, 3]), input: [2, 3, 7, 7] },
  sequential: {
    make: () =>
      new nn.Sequential(
        new nn.Conv2d(3, 4, 3),
        new nn.BatchNorm2d(4),
        new nn.ReLU(),
        new nn.Flatten(),
        new nn.Linear(36, 2),
      ),
    input: [3, 3, 5, 5],
  },
};

function fill(module: nn.Module): void {
  torch.noGrad(() => {
    for (const [i, parameter] of [...module.parameters()].entries()) {
      parameter.copy_(ramp(parameter.shape, { scale: 0.5, offset: 0.1, step: 31 + 2 * i }));
    }
  });
}

describe('layers agree with PyTorch in float64', () => {
  it('has a case for every fixture', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(layers).sort());
  });

  it.each(Object.entries(cases))('%s: output, gradients, buffers, state dict', (name, { make, input }) => {
    const expected = layers[name] as LayerCase;
    const layer = make();
    layer.to({ dtype: 'float64' }).train();
    fill(layer);
    const x = ramp(input, { step: 17 }).requiresGrad_();
    const y = layer.forward(x);
    y.mul(ramp(y.shape, { step: 29 }))
      .sum()
      .backward();
    expectClose(y, expected.output, 1e-12);
    expectClose(x.grad as Tensor, expected.input, 1e-10);
    expect(Object.keys(layer.stateDict())).toEqual(expected.keys);
    const largest = Math.max(0, ...Object.values(expected.gradients).flat().map(Math.abs));
    for (const [key, { grad }] of layer.namedParameters()) {
      const wanted = expected.gradients[key];
      if (wanted) expectClose(grad as Tensor, wanted);
      else expectVanishing(grad as Tensor, largest);
    }
    for (const [key, buffer] of layer.namedBuffers()) expectClose(buffer, expected.buffers[key] as number[], 1e-12);
    expectClose(layer.eval().forward(x), expected.evaluated, 1e-12);
  });
});

describe('initial weights', () => {
  it('are those that PyTorch draws from the same seed', () => {
    const makers: Record<string, () => nn.Module> = {
      conv2d: () => new nn.Conv2d(4, 6, 3),
      linear: () => new nn.Linear(5, 3),
    };
    for (const [name, make] of Object.entries(makers)) {
      torch.manualSeed(7);
      for (const [key, parameter] of make().namedParameters())
        expectClose(parameter, inits[name]?.[key] as number[], 1e-7);
    }
  });
});
