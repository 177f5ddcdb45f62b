import { describe, expect, it } from 'vitest';
import torch, { nn, optim, type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

const { rnn, parametrize, parametrizations } = nn.utils;

interface Packed {
  data: number[];
  batchSizes: number[];
  padded: number[][];
  lengths: number[];
}
const expected = fixture<{ packed: Packed; padded: number[][]; paddedLeft: number[][] }>('names');

describe('sequences of different lengths', () => {
  const sequences = [torch.tensor([1, 2]), torch.tensor([3, 4, 5, 6]), torch.tensor([7])];

  it('are padded and packed as PyTorch does', () => {
    expect(rnn.padSequence(sequences, { batchFirst: true, paddingValue: 9 }).tolist()).toEqual(expected.padded);
    expect(rnn.padSequence(sequences, { paddingSide: 'left' }).tolist()).toEqual(expected.paddedLeft);
    const packed = rnn.packSequence(sequences, { enforceSorted: false });
    expect(packed.data.tolist()).toEqual(expected.packed.data);
    expect(packed.batchSizes.tolist()).toEqual(expected.packed.batchSizes);
    const [padded, lengths] = rnn.padPackedSequence(packed, { batchFirst: true, totalLength: 5 });
    expect([padded.tolist(), lengths.tolist()]).toEqual([expected.packed.padded, expected.packed.lengths]);
    for (const [i, sequence] of rnn.unpackSequence(packed).entries())
      expect(sequence.equal(sequences[i] as Tensor)).toBe(true);
  });

  it('say what is wrong with lengths', () => {
    const x = torch.zeros([4, 2, 3]);
    expect(() => rnn.packPaddedSequence(x, [2, 4])).toThrow('enforceSorted: false');
    expect(() => rnn.packPaddedSequence(x, [5, 4])).toThrow('from 1 to 4');
    expect(() => rnn.padPackedSequence(rnn.packPaddedSequence(x, [4, 2]), { totalLength: 2 })).toThrow('at least 4');
    const packed = torch.scope(() => rnn.packPaddedSequence(x, [4, 2]));
    expect(packed.data.isAlive && packed.batchSizes.isAlive).toBe(true);
  });
});

it('parameters become a vector and come back', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
  const vector = nn.utils.parametersToVector(model.parameters());
  expect(vector.shape).toEqual([model.numParameters()]);
  nn.utils.vectorToParameters(torch.arange(13, { dtype: 'float32' }), model.parameters());
  expect(model.getParameter('1.weight').tolist()).toEqual([[9, 10, 11]]);
  expect(() => nn.utils.vectorToParameters(torch.zeros([3]), model.parameters())).toThrow('13 elements');
});

it('gradients are clipped by a norm that was computed before', () => {
  const parameter = new nn.Parameter(torch.zeros([2]));
  parameter.grad = torch.tensor([3, 4], { dtype: 'float32' });
  const norm = nn.utils.getTotalNorm([parameter.grad as Tensor]);
  expect(norm.item()).toBe(5);
  nn.utils.clipGradsWithNorm_([parameter], 1, norm);
  expect(parameter.grad?.allclose(torch.tensor([0.6, 0.8]))).toBe(true);
});

it('cells begin with a state of zeros', () => {
  const [x, zeros] = [torch.randn([2, 3]), torch.zeros([2, 4])];
  const lstm = new nn.LSTMCell(3, 4);
  expect(lstm.forward(x)[1].equal(lstm.forward(x, [zeros, zeros])[1])).toBe(true);
  const gru = new nn.GRUCell(3, 4);
  expect(gru.forward(x).equal(gru.forward(x, zeros))).toBe(true);
  expect(() => gru.forward(torch.zeros([2, 5]))).toThrow('GRUCell takes [N, 3] or [3], not [2, 5]');
});

describe('parametrizations', () => {
  class Symmetric extends nn.Module {
    forward(x: Tensor): Tensor {
      return x.triu().add(x.triu(1).t());
    }
  }
  class Doubled extends nn.Module {
    forward(x: Tensor): Tensor {
      return x.mul(2);
    }
    rightInverse(x: Tensor): Tensor {
      return x.div(2);
    }
  }

  it('compute a parameter from its original, train that, and can be removed', () => {
    const layer = new nn.Linear(3, 3);
    parametrize.registerParametrization(layer, 'weight', new Symmetric());
    const weight = () => layer.weight as Tensor;
    expect(weight().equal(weight().t())).toBe(true);
    expect(Object.keys(layer.stateDict())).toEqual(['bias', 'parametrizations.weight.original']);
    expect(parametrize.isParametrized(layer, 'weight') && !parametrize.isParametrized(layer, 'bias')).toBe(true);
    const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
    const before = weight().clone();
    layer
      .forward(torch.randn([4, 3]))
      .square()
      .sum()
      .backward();
    optimizer.step();
    expect(weight().equal(before)).toBe(false);
    expect(weight().equal(weight().t())).toBe(true);
    const value = weight().clone();
    parametrize.removeParametrizations(layer, 'weight');
    expect(layer.weight).toBeInstanceOf(nn.Parameter);
    expect(layer.weight.equal(value)).toBe(true);
    expect(Object.keys(layer.stateDict()).sort()).toEqual(['bias', 'weight']);
  });

  it('follow each other and keep the value that they can represent', () => {
    const layer = new nn.Linear(2, 2);
    const value = layer.weight.detach().clone();
    parametrize.registerParametrization(layer, 'weight', new Doubled());
    parametrize.registerParametrization(layer, 'weight', new Doubled());
    expect(layer.weight.allclose(value)).toBe(true);
    expect(layer.getParameter('parametrizations.weight.original').allclose(value.div(4))).toBe(true);
    const copy = new nn.Linear(2, 2);
    parametrize.registerParametrization(copy, 'weight', new Doubled());
    parametrize.registerParametrization(copy, 'weight', new Doubled());
    copy.loadStateDict(layer.stateDict());
    expect(copy.weight.equal(layer.weight)).toBe(true);
    expect(() => parametrize.registerParametrization(layer, 'wieght', new Doubled())).toThrow("no parameter 'wieght'");
  });

  it('spectralNorm divides by the largest singular value, and weightNorm begins with the weight', () => {
    const layer = new nn.Conv2d(3, 4, 3);
    const value = layer.weight.detach().clone();
    parametrizations.spectralNorm(layer, { nPowerIterations: 20 });
    for (let i = 0; i < 5; i++) layer.forward(torch.randn([1, 3, 5, 5]));
    expect(torch.linalg.svdvals(layer.weight.flatten(1)).select(0, 0).sub(1).abs().item()).toBeLessThan(1e-3);
    parametrize.removeParametrizations(layer, 'weight', { leaveParametrized: false });
    expect(layer.weight.equal(value)).toBe(true);
    parametrizations.weightNorm(layer);
    expect(layer.weight.allclose(value, 1e-5, 1e-6)).toBe(true);
  });
});
