import { describe, expect, it } from 'vitest';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { fixture } from '../helpers/inputs.js';

const flops = fixture<Record<string, Record<string, number>>>('flops');

/** The networks of test/fixtures/make/flops.py. */
const cnn = (groups = 4) =>
  new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { stride: 2, padding: 1 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.Conv2d(8, 8, 3, { groups, dilation: 2 }),
    new nn.ConvTranspose2d(8, 4, 2, { stride: 2 }),
    new nn.Flatten(),
    new nn.Linear(4 * 12 * 12, 5),
  );
const cases: Record<string, () => void> = {
  cnnForward: () => torch.noGrad(() => cnn().forward(torch.zeros([2, 3, 20, 20]))),
  cnnTraining: () =>
    cnn(1)
      .forward(torch.zeros([2, 3, 20, 20], { requiresGrad: true }))
      .sum()
      .backward(),
  products: () => {
    torch.ones([3, 4]).matmul(torch.ones([4, 5]));
    torch.ones([2, 3, 4]).matmul(torch.ones([2, 4, 5]));
    torch.addmm(torch.ones([3, 5]), torch.ones([3, 4]), torch.ones([4, 5]));
  },
  attention: () => {
    const [q, k] = [torch.ones([2, 2, 3, 4]), torch.ones([2, 2, 6, 4])];
    nn.functional.scaledDotProductAttention(q, k, k);
  },
};

describe('floating-point operations', () => {
  it.each(Object.entries(cases))('%s: as torch.utils.flop_counter counts them', (name, body) => {
    expect(torch.countFlops(body).byOperator).toEqual(flops[name]);
  });

  it('stops counting also when the body throws, and does not nest', () => {
    expect(() => torch.countFlops(() => torch.ones([2]).matmul(torch.ones([3])))).toThrow();
    expect(() => torch.countFlops(() => torch.countFlops(() => {}))).toThrow(/already/);
    expect(torch.countFlops(() => {}).total).toBe(0);
  });
});

describe('summary', () => {
  it('describes every module, and leaves the model as it was', () => {
    const model = cnn().train();
    model.layers()[0]?.requiresGrad_(false);
    const { rows, parameters, trainable, flops: total, bytes } = nn.summary(model, torch.zeros([2, 3, 20, 20]));
    expect(parameters).toBe(model.numParameters());
    expect(trainable).toBe(parameters - (3 * 8 * 9 + 8));
    expect(total).toBe(Object.values(flops.cnnForward ?? {}).reduce((sum, count) => sum + count, 0));
    expect(rows.map(({ path }) => path)).toEqual(['', '0', '1', '2', '3', '4', '5', '6']);
    expect(rows[3]?.outputs).toEqual([[2, 8, 10, 10]]);
    expect(rows.slice(1).reduce((sum, row) => sum + row.flops, 0)).toBe(total);
    // Parameters in float32, the batch normalization's statistics, and its counter.
    expect(bytes).toBe(4 * parameters + 4 * 16 + 8);
    expect(model.training).toBe(true);
    expect(Object.hasOwn(model, 'forward')).toBe(false);
  });

  it('is a table for people, and takes its hooks away when the forward fails', () => {
    expect(`${nn.summary(cnn(), torch.zeros([1, 3, 20, 20]))}`).toMatch(/6: Linear +\[1, 5\] +2,885 +5,760/);
    const model = cnn();
    expect(() => nn.summary(model, torch.zeros([1, 2, 20, 20]))).toThrow();
    expect(Object.hasOwn(model, 'forward')).toBe(false);
    expect(torch.countFlops(() => {}).total).toBe(0);
  });
});

describe('forward hooks', () => {
  it('see and change inputs and outputs, in their order, until they are removed', () => {
    const layer = new nn.Linear(2, 2);
    const seen: string[] = [];
    const handles = [
      layer.registerForwardPreHook((_module, [x]) => {
        seen.push('before 1');
        return [(x as Tensor).mul(0)];
      }),
      layer.registerForwardPreHook((module, [x]) => {
        seen.push(`before 2 ${(x as Tensor).sum().item()}`);
        expect(module).toBe(layer);
        return undefined;
      }),
      layer.registerForwardHook((_module, _inputs, output) => {
        seen.push('after 1');
        return (output as Tensor).add(1);
      }),
      layer.registerForwardHook((_module, _inputs, _output) => void seen.push('after 2')),
    ];
    const y = new nn.Sequential(layer).forward(torch.ones([1, 2]));
    expect(seen).toEqual(['before 1', 'before 2 0', 'after 1', 'after 2']);
    expect(y.equal((layer.bias as Tensor).add(1).unsqueeze(0))).toBe(true);
    for (const handle of handles) handle.remove();
    handles[0]?.remove();
    layer.forward(torch.ones([1, 2]));
    expect(seen).toHaveLength(4);
    expect(Object.keys(layer.stateDict())).toEqual(['weight', 'bias']);
  });
});

describe('containers', () => {
  it('are in the state dict by number and by name', () => {
    class Net extends nn.Module {
      readonly list = new nn.ModuleList([new nn.Linear(1, 1, { bias: false }), new nn.Linear(1, 2, { bias: false })]);
      readonly heads = new nn.ModuleDict({ small: new nn.Linear(2, 1), large: new nn.Linear(2, 3) });
      readonly scales = new nn.ParameterList([new nn.Parameter(torch.ones([1]))]);

      forward(x: Tensor, head: string): Tensor {
        let value = x;
        for (const layer of this.list) value = layer.forward(value);
        return this.heads.get(head).forward(value);
      }
    }
    const net = new Net();
    expect(Object.keys(net.stateDict())).toEqual([
      'list.0.weight',
      'list.1.weight',
      'heads.small.weight',
      'heads.small.bias',
      'heads.large.weight',
      'heads.large.bias',
      'scales.0',
    ]);
    expect(net.forward(torch.ones([1, 1]), 'large').shape).toEqual([1, 3]);
    expect(net.list.at(-1)).toBe(net.list.at(1));
    expect(() => net.list.at(2)).toThrow(/there are 2/);
    expect(() => net.heads.get('larg')).toThrow(/small, large/);
    expect(() => net.heads.set('forward', new nn.Linear(1, 1))).toThrow(/member/);
  });
});

describe('SyncBatchNorm', () => {
  it('takes the place of batch normalization, with its parameters and statistics', () => {
    const model = cnn();
    const state = model.stateDict();
    const converted = nn.SyncBatchNorm.convertSyncBatchnorm(model);
    expect(converted.at(1)).toBeInstanceOf(nn.SyncBatchNorm);
    expect(Object.keys(converted.stateDict())).toEqual(Object.keys(state));
    expect(converted.stateDict()['1.weight']?.equal(state['1.weight'] as Tensor)).toBe(true);
    converted.forward(torch.randn([2, 3, 20, 20]));
    expect(Number(state['1.num_batches_tracked']?.item())).toBe(1);
  });
});
