import { describe, expect, it } from 'vitest';
import torch, { nn, optim } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture } from '../helpers/inputs.js';
import { optionsOf } from '../helpers/optimizer.js';

interface Case {
  count: number;
  options: Record<string, unknown>;
  losses: number[];
  evaluations: number;
  values: number[];
}
const { lbfgs } = fixture<{ lbfgs: Case[] }>('optim');

const point = () => new nn.Parameter(torch.tensor([-1.2, 1, 0.7], { dtype: 'float64' }));
const valley = (a: nn.Parameter) => {
  const [next, here] = [a.narrow(0, 1, 2), a.narrow(0, 0, 2)];
  return next.sub(here.square()).square().mul(100).add(here.rsub(1).square()).sum();
};

describe('L-BFGS', () => {
  it.each(lbfgs)('goes where PyTorch continues Rosenbrock with $options', (given) => {
    const [a, idle] = [point(), new nn.Parameter(torch.ones([2], { dtype: 'float64' }))];
    const optimizer = new optim.LBFGS([a, idle], optionsOf(given.options));
    let evaluations = 0;
    const closure = () => {
      evaluations++;
      optimizer.zeroGrad();
      const loss = valley(a);
      loss.backward();
      return loss;
    };
    const losses = Array.from({ length: given.count }, () => optimizer.step(closure));
    expect(evaluations).toBe(given.evaluations);
    for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(given.losses[i] as number, 9);
    expectClose(a, given.values, 1e-8);
    expect(idle.tolist()).toEqual([1, 1]);
  });

  it('frees what it does not remember', () => {
    const a = point();
    const optimizer = new optim.LBFGS([a], { historySize: 2, lr: 1e-4, maxIter: 2 });
    const closure = () => {
      optimizer.zeroGrad();
      const loss = valley(a);
      loss.backward();
      return loss;
    };
    for (let i = 0; i < 4; i++) optimizer.step(closure);
    const { tensors } = torch.memory();
    for (let i = 0; i < 4; i++) optimizer.step(closure);
    expect(torch.memory().tensors).toBe(tensors);
    optimizer.dispose();
    expect(torch.memory().tensors).toBe(tensors - 6);
  });

  it('refuses what it cannot do', () => {
    expect(() => new optim.LBFGS([])).toThrow('no parameters');
    expect(() => new optim.LBFGS([point()], { lineSearchFn: 'armijo' as never })).toThrow('strong_wolfe');
    expect(() => new optim.LBFGS([{ params: [point()] }] as never)).toThrow('one group');
    expect(() => new optim.LBFGS([point()], { lr: -1 })).toThrow('at least 0');
  });
});
