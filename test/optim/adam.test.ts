import { describe, expect, it } from 'vitest';
import torch, { ConfigError, optim, type Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture } from '../helpers/inputs.js';
import { copiesOf, groupsOf, optionsOf, parameters, step, type Three } from '../helpers/optimizer.js';

interface Case {
  name: 'Adam' | 'AdamW';
  options: {
    lr?: number;
    betas?: [number, number];
    eps?: number;
    weight_decay?: number;
    amsgrad?: boolean;
    maximize?: boolean;
  };
  values: number[][];
}
const { cases } = fixture<{ cases: Case[] }>('adam');

const optimizerFor = (name: Case['name'], params: Three, options: Case['options']): optim.Adam =>
  new optim[name](groupsOf(params), optionsOf(options));

describe('Adam and AdamW', () => {
  it.each(cases)('$name goes 20 steps as PyTorch does with $options', ({ name, options, values }) => {
    const params = parameters();
    const optimizer = optimizerFor(name, params, options);
    for (let i = 0; i < 20; i++) step(params, optimizer, i);
    for (const [i, parameter] of params.entries()) expectClose(parameter, values[i] as number[], 1e-9);
  });

  it('continue bit for bit from a saved state, with constant memory', () => {
    const through = parameters();
    const whole = optimizerFor('AdamW', through, { amsgrad: true });
    for (let i = 0; i < 8; i++) step(through, whole, i);
    const copies = copiesOf(through);
    const resumed = optimizerFor('AdamW', copies, { amsgrad: true });
    resumed.loadStateDict(whole.stateDict());
    const before = torch.memory().tensors;
    for (let i = 8; i < 16; i++) {
      step(through, whole, i);
      step(copies, resumed, i);
    }
    // The gradients that the copies did not have yet.
    expect(torch.memory().tensors - before).toBeLessThanOrEqual(0);
    for (const [i, parameter] of through.entries()) expect(parameter.equal(copies[i] as Tensor)).toBe(true);
    expect(Object.keys(whole.stateDict().state[0] ?? {})).toEqual(['step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']);
  });

  it('refuse wrong options', () => {
    expect(() => new optim.Adam(parameters(), { betas: [1, 0.9] })).toThrow(ConfigError);
    expect(() => new optim.AdamW(parameters(), { eps: -1 })).toThrow(ConfigError);
  });
});
