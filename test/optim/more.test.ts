import { describe, expect, it } from 'vitest';
import torch, { nn, optim, type Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture } from '../helpers/inputs.js';
import { copiesOf, groupsOf, optionsOf, parameters, step, type Three } from '../helpers/optimizer.js';

type Name = 'RMSprop' | 'Lion' | 'Muon';
interface Case {
  name: Name;
  options: { weight_decay?: number } & Record<string, unknown>;
  values: number[][];
}
const expected = fixture<{
  optimizers: Case[];
  schedules: Record<string, number[]>;
  plateau: number[];
  plateauAbsolute: number[];
}>('optim');

interface Stepping {
  step(): void;
  zeroGrad(): void;
  stateDict(): never;
  loadStateDict(state: never): void;
}

const parametersFor = (name: Name): Three =>
  name === 'Muon'
    ? parameters([
        [3, 4],
        [5, 2],
        [2, 3],
      ])
    : parameters();

const optimizerFor = ({ name, options }: Case, params: Three): Stepping =>
  new optim[name](groupsOf(params), optionsOf(options)) as unknown as Stepping;

describe('RMSprop, Lion and Muon', () => {
  it.each(expected.optimizers)('$name goes 20 steps as its reference does with $options', (given) => {
    const params = parametersFor(given.name);
    const optimizer = optimizerFor(given, params);
    for (let i = 0; i < 20; i++) step(params, optimizer, i);
    // Muon orthogonalizes in bfloat16, whose rounding depends on the CPU.
    const tolerance = given.name === 'Muon' ? 1e-2 : 1e-9;
    for (const [i, parameter] of params.entries()) expectClose(parameter, given.values[i] as number[], tolerance);
  });

  it.each(expected.optimizers)(
    '$name goes on to the bit from a saved state, with constant memory ($options)',
    (given) => {
      const through = parametersFor(given.name);
      const whole = optimizerFor(given, through);
      for (let i = 0; i < 8; i++) step(through, whole, i);
      const copies = copiesOf(through);
      const resumed = optimizerFor(given, copies);
      resumed.loadStateDict(whole.stateDict());
      step(through, whole, 8);
      step(copies, resumed, 8);
      const before = torch.memory().tensors;
      for (let i = 9; i < 16; i++) {
        step(through, whole, i);
        step(copies, resumed, i);
      }
      expect(torch.memory().tensors).toBe(before);
      for (const [i, parameter] of through.entries()) expect(parameter.equal(copies[i] as Tensor)).toBe(true);
    },
  );
});

describe('schedules', () => {
  const makers: Record<string, (optimizer: optim.SGD) => { step(): void }> = {
    exponential: (optimizer) => new optim.ExponentialLR(optimizer, { gamma: 0.9 }),
    polynomial: (optimizer) => new optim.PolynomialLR(optimizer, { totalIters: 20, power: 1.7 }),
    linear: (optimizer) => new optim.LinearLR(optimizer, { startFactor: 0.2, endFactor: 0.9, totalIters: 8 }),
    constant: (optimizer) => new optim.ConstantLR(optimizer, { factor: 0.25, totalIters: 6 }),
    oneCycle: (optimizer) => new optim.OneCycleLR(optimizer, { maxLr: 0.8, totalSteps: 31 }),
    oneCycleLinear: (optimizer) =>
      new optim.OneCycleLR(optimizer, {
        maxLr: 0.8,
        totalSteps: 31,
        annealStrategy: 'linear',
        threePhase: true,
        pctStart: 0.4,
      }),
    sequential: (optimizer) =>
      new optim.SequentialLR(optimizer, {
        schedules: [
          new optim.LinearLR(optimizer, { startFactor: 0.1, endFactor: 1, totalIters: 5 }),
          new optim.ExponentialLR(optimizer, { gamma: 0.9 }),
        ],
        milestones: [5],
      }),
  };
  const sgd = () => new optim.SGD([new nn.Parameter(torch.zeros([1]))], { lr: 0.4, momentum: 0.9 });

  it.each(Object.entries(makers))('%s gives the rates of PyTorch', (name, make) => {
    const optimizer = sgd();
    const schedule = make(optimizer);
    const rates = (expected.schedules[name] as number[]).map(() => {
      const rate = optimizer.paramGroups[0]?.lr ?? Number.NaN;
      schedule.step();
      return rate;
    });
    for (const [i, rate] of rates.entries())
      expect([i, Math.abs(rate - (expected.schedules[name]?.[i] as number)) <= 1e-12]).toEqual([i, true]);
  });

  it.each([
    ['plateau', { patience: 2, factor: 0.5, cooldown: 1, threshold: 0.01, minLr: 0.01 }],
    ['plateauAbsolute', { mode: 'max', patience: 1, thresholdMode: 'abs', eps: 1e-3 }],
  ] as const)('%s gives the rates of PyTorch', (name, options) => {
    const optimizer = sgd();
    const schedule = new optim.ReduceLROnPlateau(optimizer, options);
    for (const [i, rate] of expected[name].entries()) {
      expect(Math.abs((optimizer.paramGroups[0]?.lr ?? Number.NaN) - rate)).toBeLessThanOrEqual(1e-12);
      schedule.step(([5, 4, 3, 3, 3.5, 2.99, 2.98][i % 7] as number) - (i < 10 ? i * 0.01 : 0));
    }
  });
});

describe('EMA', () => {
  it('averages parameters with its decay, copies buffers, and goes on from a saved state', () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
    const ema = new optim.EMA(model, { decay: 0.75 });
    const name = '0.weight';
    const start = (model.stateDict()[name] as Tensor).clone();
    torch.noGrad(() => (model.stateDict()[name] as Tensor).add_(4));
    ema.update();
    const averaged = ema.averagedStateDict()[name] as Tensor;
    expect(averaged.allclose(start.add(1), 1e-6, 1e-6)).toBe(true);
    const target = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
    ema.copyTo(target);
    expect((target.stateDict()[name] as Tensor).equal(averaged)).toBe(true);
    const other = new optim.EMA(model, { decay: 0.75 });
    other.loadStateDict(ema.stateDict());
    ema.update();
    other.update();
    expect((other.averagedStateDict()[name] as Tensor).equal(ema.averagedStateDict()[name] as Tensor)).toBe(true);
    expect(() => new optim.EMA(model, { decay: 2 })).toThrow(/decay/);
  });
});
