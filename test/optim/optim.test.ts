import { describe, expect, it } from 'vitest';
import torch, { ConfigError, nn, optim, type Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture } from '../helpers/inputs.js';
import { copiesOf, groupsOf, optionsOf, parameters, step, type Three } from '../helpers/optimizer.js';

interface SgdCase {
  options: {
    lr: number;
    momentum?: number;
    weight_decay?: number;
    nesterov?: boolean;
    dampening?: number;
    maximize?: boolean;
  };
  values: number[][];
}
const { sgd, schedules } = fixture<{ sgd: SgdCase[]; schedules: Record<string, number[]> }>('nn');

const optimizerFor = (params: Three, options: SgdCase['options']): optim.SGD =>
  new optim.SGD(groupsOf(params), optionsOf(options));

describe('SGD', () => {
  it.each(sgd)('goes 20 steps as PyTorch does with $options', ({ options, values }) => {
    const params = parameters();
    const optimizer = optimizerFor(params, options);
    for (let i = 0; i < 20; i++) step(params, optimizer, i);
    for (const [i, parameter] of params.entries()) expectClose(parameter, values[i] as number[], 1e-9);
  });

  it('continues bit for bit from a saved state', () => {
    const options = { lr: 0.05, momentum: 0.9, nesterov: true };
    const through = parameters();
    const whole = optimizerFor(through, options);
    for (let i = 0; i < 12; i++) step(through, whole, i);

    const first = parameters();
    const before = optimizerFor(first, options);
    for (let i = 0; i < 7; i++) step(first, before, i);
    const second = copiesOf(first);
    const after = optimizerFor(second, { lr: 1 });
    after.loadStateDict(before.stateDict());
    for (let i = 7; i < 12; i++) step(second, after, i);
    for (const [i, parameter] of through.entries()) expect(parameter.equal(second[i] as Tensor)).toBe(true);
  });

  it('keeps the number of live tensors constant', () => {
    const params = parameters();
    const optimizer = optimizerFor(params, { lr: 0.01, momentum: 0.9 });
    for (let i = 0; i < 8; i++) step(params, optimizer, i);
    const before = torch.memory().tensors;
    for (let i = 8; i < 40; i++) step(params, optimizer, i);
    expect(torch.memory().tensors).toBe(before);
  });

  it.each(['SGD', 'AdamW', 'RAdam'] as const)('%s refuses a closure, which it would not call', (name) => {
    const optimizer = new optim[name](parameters(), { lr: 0.1 });
    const step = optimizer.step.bind(optimizer) as (closure: unknown) => void;
    expect(() => step(() => torch.zeros([]))).toThrow('call it yourself');
  });

  it('refuses wrong options', () => {
    const params = parameters();
    expect(() => new optim.SGD(params, { lr: -1 })).toThrow(ConfigError);
    expect(() => new optim.SGD(params, { lr: 1, nesterov: true })).toThrow(/momentum above 0/);
    expect(() => new optim.SGD([], { lr: 1 })).toThrow(/no parameters/);
    expect(() => new optim.SGD([params[0] as Tensor, params[0] as Tensor], { lr: 1 })).toThrow(/twice/);
    const other = optimizerFor(parameters(), { lr: 1 });
    expect(() => new optim.SGD(params, { lr: 1 }).loadStateDict(other.stateDict())).toThrow(ConfigError);
  });
});

describe('schedules', () => {
  const makers: Record<string, (optimizer: optim.SGD) => optim.LRScheduler> = {
    step: (optimizer) => new optim.StepLR(optimizer, { stepSize: 7, gamma: 0.3 }),
    multiStep: (optimizer) => new optim.MultiStepLR(optimizer, { milestones: [4, 11, 20] }),
    cosine: (optimizer) => new optim.CosineAnnealingLR(optimizer, { tMax: 25, etaMin: 0.01 }),
  };

  it.each(Object.entries(makers))('%s gives the rates of PyTorch', (name, make) => {
    const optimizer = new optim.SGD([new nn.Parameter(torch.zeros([1]))], { lr: 0.4 });
    const schedule = make(optimizer);
    for (const expected of schedules[name] as number[]) {
      expect(Math.abs((optimizer.paramGroups[0]?.lr ?? 0) - expected)).toBeLessThanOrEqual(1e-12);
      schedule.step();
    }
    schedule.goTo(3);
    expect(schedule.getLastLr()[0]).toBeCloseTo(schedules[name]?.[3] as number, 12);
  });
});
