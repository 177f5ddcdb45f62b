import { describe, expect, it } from 'vitest';
import torch, { ConfigError, nn, ShapeError } from '../../src/torch.js';

class Net extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 2, 3);
  readonly layers = new nn.Sequential(new nn.BatchNorm2d(2), new nn.ReLU());
  readonly fc = new nn.Linear(2, 3);

  forward(x: import('../../src/torch.js').Tensor) {
    return this.fc.forward(this.layers.forward(this.conv1.forward(x)).mean([2, 3]));
  }
}

describe('modules', () => {
  it('name their parameters, buffers and children', () => {
    const net = new Net();
    expect([...net.namedParameters()].map(([name]) => name)).toEqual([
      'conv1.weight',
      'conv1.bias',
      'layers.0.weight',
      'layers.0.bias',
      'fc.weight',
      'fc.bias',
    ]);
    expect([...net.namedBuffers()].map(([name]) => name)).toEqual([
      'layers.0.running_mean',
      'layers.0.running_var',
      'layers.0.num_batches_tracked',
    ]);
    expect([...net.namedModules()].map(([name]) => name)).toEqual([
      '',
      'conv1',
      'layers',
      'layers.0',
      'layers.1',
      'fc',
    ]);
    expect(net.numParameters()).toBe(2 * 9 + 2 + 4 + 9);
  });

  it('switch between training and evaluation as a whole', () => {
    const net = new Net().eval();
    expect([...net.namedModules()].every(([, module]) => !module.training)).toBe(true);
    const x = torch.randn([2, 1, 5, 5]);
    expect(net.forward(x).equal(net.forward(x))).toBe(true);
    net.train();
    const before = net.layers.stateDict()['0.running_mean']?.clone();
    net.forward(x);
    expect(net.layers.stateDict()['0.running_mean']?.equal(before as never)).toBe(false);
  });

  it('exchange state dicts, strictly or not', () => {
    const [a, b] = [new Net(), new Net()];
    b.loadStateDict(a.stateDict());
    const x = torch.randn([2, 1, 5, 5]);
    expect(b.eval().forward(x).equal(a.eval().forward(x))).toBe(true);
    const { 'fc.bias': _removed, ...partial } = a.stateDict();
    expect(() => b.loadStateDict(partial)).toThrow(ConfigError);
    expect(() => b.loadStateDict(partial)).toThrow(/missing fc.bias; unexpected none/);
    expect(b.loadStateDict({ ...partial, extra: torch.ones([1]) }, { strict: false })).toEqual({
      missingKeys: ['fc.bias'],
      unexpectedKeys: ['extra'],
    });
  });

  it('are unchanged by a state dict of other sizes', () => {
    const net = new Net();
    const before = net.conv1.weight.clone();
    const wrong = { ...net.stateDict(), 'conv1.weight': torch.zeros([2, 1, 3, 3]), 'fc.bias': torch.zeros([4]) };
    expect(() => net.loadStateDict(wrong)).toThrow(ShapeError);
    expect(net.conv1.weight.equal(before)).toBe(true);
  });

  it('convert in place, so that optimizers keep their parameters', () => {
    const net = new Net();
    const { weight } = net.conv1;
    net.to({ dtype: 'float64', memoryFormat: 'channelsLast' });
    expect(net.conv1.weight).toBe(weight);
    expect(weight.dtype).toBe('float64');
    expect(weight.requiresGrad).toBe(true);
    expect(net.stateDict()['layers.0.num_batches_tracked']?.dtype).toBe('int64');
    expect(net.forward(torch.randn([2, 1, 5, 5], { dtype: 'float64' })).dtype).toBe('float64');
  });

  it('free everything on dispose', () => {
    const before = torch.memory().tensors;
    torch.scope(() => new Net()).dispose();
    expect(torch.memory().tensors).toBe(before);
  });
});
