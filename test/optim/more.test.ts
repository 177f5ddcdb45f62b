import { describe, expect, it } from 'vitest';
import torch, { nn, optim, type Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture } from '../helpers/inputs.js';
import { copiesOf, groupsOf, optionsOf, parameters, step, type Three } from '../helpers/optimizer.js';

type Name =
  | 'Adadelta'
  | 'Adafactor'
  | 'Adagrad'
  | 'Adamax'
  | 'ASGD'
  | 'Lion'
  | 'Muon'
  | 'NAdam'
  | 'RAdam'
  | 'RMSprop'
  | 'Rprop';
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
  oneCycleGroups: [number, number][][];
  cyclicGroups: [number, number][][];
}>('optim');

interface Stepping {
  step(): void;
  zeroGrad(): void;
  stateDict(): never;
  loadStateDict(state: never): void;
}

const shapes: Partial<Record<Name, [number[], number[], number[]]>> = {
  Muon: [
    [3, 4],
    [5, 2],
    [2, 3],
  ],
  Adafactor: [[3, 4], [2, 2, 3], [5]],
};
const parametersFor = (name: Name): Three => parameters(shapes[name]);

const optimizerFor = ({ name, options }: Case, params: Three): Stepping =>
  new optim[name](groupsOf(params), optionsOf(options)) as unknown as Stepping;

describe('Optimizers of foreach operators', () => {
  it.each(expected.optimizers)('$name goes 20 steps as its reference does with $options', (given) => {
    const params = parametersFor(given.name);
    const optimizer = optimizerFor(given, params);
    for (let i = 0; i < 20; i++) step(params, optimizer, i);
    // Muon orthogonalizes in bfloat16, whose rounding depends on the CPU; ASGD keeps its learning rate in float32.
    const tolerance = { Muon: 1e-2, ASGD: 1e-7 }[given.name as string] ?? 1e-9;
    for (const [i, parameter] of params.entries()) expectClose(parameter, given.values[i] as number[], tolerance);
  });

  it.each(expected.optimizers)(
    '$name continues bit for bit from a saved state, with constant memory ($options)',
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
    lambda: (optimizer) => new optim.LambdaLR(optimizer, (epoch) => 0.95 ** epoch / (1 + epoch)),
    multiplicative: (optimizer) => new optim.MultiplicativeLR(optimizer, [(epoch) => 0.9 + 0.01 * (epoch % 3)]),
    restarts: (optimizer) => new optim.CosineAnnealingWarmRestarts(optimizer, { t0: 4, tMult: 2, etaMin: 0.01 }),
    restartsEven: (optimizer) => new optim.CosineAnnealingWarmRestarts(optimizer, { t0: 7 }),
    cyclic: (optimizer) => new optim.CyclicLR(optimizer, { baseLr: 0.1, maxLr: 0.8, stepSizeUp: 5, stepSizeDown: 3 }),
    cyclicTriangular2: (optimizer) =>
      new optim.CyclicLR(optimizer, { baseLr: 0.1, maxLr: 0.8, stepSizeUp: 4, mode: 'triangular2' }),
    cyclicRange: (optimizer) =>
      new optim.CyclicLR(optimizer, { baseLr: 0.1, maxLr: 0.8, stepSizeUp: 4, mode: 'exp_range', gamma: 0.97 }),
    cyclicScaled: (optimizer) =>
      new optim.CyclicLR(optimizer, {
        baseLr: 0.1,
        maxLr: 0.8,
        stepSizeUp: 4,
        scaleFn: (step) => 1 / 5 ** (step * 0.001),
        scaleMode: 'iterations',
      }),
    chained: (optimizer) =>
      new optim.ChainedScheduler([
        new optim.ConstantLR(optimizer, { factor: 0.1, totalIters: 4 }),
        new optim.ExponentialLR(optimizer, { gamma: 0.9 }),
      ]),
    swa: (optimizer) => new optim.SWALR(optimizer, { swaLr: 0.05, annealEpochs: 6 }),
    swaLinear: (optimizer) => new optim.SWALR(optimizer, { swaLr: [0.05], annealEpochs: 4, annealStrategy: 'linear' }),
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

describe('schedules of several groups, and those that remember', () => {
  const two = (momentum: number) =>
    new optim.SGD(
      [{ params: [new nn.Parameter(torch.zeros([1]))] }, { params: [new nn.Parameter(torch.zeros([1]))], lr: 0.1 }],
      { lr: 0.4, momentum },
    );

  const momenta = { baseMomentum: 0.7, maxMomentum: 0.93 };
  it.each<[string, [number, number][][], (optimizer: optim.SGD) => { step(): void }]>([
    [
      'one-cycle',
      expected.oneCycleGroups,
      (optimizer) => new optim.OneCycleLR(optimizer, { maxLr: [0.8, 0.2], totalSteps: 31, ...momenta }),
    ],
    [
      'cyclic',
      expected.cyclicGroups,
      (optimizer) =>
        new optim.CyclicLR(optimizer, { baseLr: [0.1, 0.05], maxLr: [0.8, 0.2], stepSizeUp: 5, ...momenta }),
    ],
  ])('%s moves rate and momentum of each group as PyTorch does', (_name, steps, make) => {
    const optimizer = two(0.9);
    const schedule = make(optimizer);
    for (const [i, groups] of steps.entries()) {
      for (const [j, [lr, momentum]] of groups.entries()) {
        const group = optimizer.paramGroups[j];
        expect([i, j, Math.abs((group?.lr ?? 0) - lr) + Math.abs((group?.momentum ?? 0) - momentum) <= 1e-12]).toEqual([
          i,
          j,
          true,
        ]);
      }
      schedule.step();
    }
  });

  it('plateau continues from a saved state', () => {
    const metrics = [5, 4, 4.5, 4.4, 4.3, 4.2, 4.1, 4.6, 4.7, 3.9, 4.2, 4.3, 4.4];
    const rates = (from: number) => {
      const optimizer = two(0);
      const schedule = new optim.ReduceLROnPlateau(optimizer, { patience: 1, cooldown: 1 });
      let current = { optimizer, schedule };
      return metrics.map((metric, i) => {
        if (i === from) {
          const next = two(0);
          next.loadStateDict(optimizer.stateDict());
          const resumed = new optim.ReduceLROnPlateau(next, { patience: 1, cooldown: 1 });
          resumed.loadStateDict(schedule.stateDict());
          current = { optimizer: next, schedule: resumed };
        }
        current.schedule.step(metric);
        return current.optimizer.paramGroups.map(({ lr }) => lr);
      });
    };
    const whole = rates(-1);
    expect(new Set(whole.map(String)).size).toBeGreaterThan(2);
    for (const from of [1, 4, 6, 9]) expect(rates(from)).toEqual(whole);
  });
});

describe('schedules and groups that come later', () => {
  const parameter = () => new nn.Parameter(torch.ones([2]));

  it.each<[string, (optimizer: optim.SGD) => optim.LRScheduler]>([
    ['cosine', (optimizer) => new optim.CosineAnnealingLR(optimizer, { tMax: 20 })],
    ['multiplicative', (optimizer) => new optim.MultiplicativeLR(optimizer, (epoch) => 1 - 0.01 * epoch)],
    ['SWA', (optimizer) => new optim.SWALR(optimizer, { swaLr: 0.01, annealEpochs: 8 })],
    [
      'sequential',
      (optimizer) =>
        new optim.SequentialLR(optimizer, {
          schedules: [new optim.LinearLR(optimizer), new optim.ExponentialLR(optimizer, { gamma: 0.8 })],
          milestones: [3],
        }),
    ],
  ])('%s continues from a saved state', (_name, make) => {
    const make1 = () => new optim.SGD([parameter()], { lr: 0.4 });
    const [first, second] = [make1(), make1()];
    const [whole, resumed] = [make(first), make(second)];
    for (let i = 0; i < 5; i++) whole.step();
    resumed.loadStateDict(JSON.parse(JSON.stringify(whole.stateDict())));
    for (let i = 0; i < 6; i++) {
      expect(resumed.getLastLr()).toEqual(whole.getLastLr());
      for (const schedule of [whole, resumed]) schedule.step();
    }
  });

  it('addParamGroup trains further parameters, with options of their own that are checked', () => {
    const [early, late] = [parameter(), parameter()];
    const optimizer = new optim.SGD([early], { lr: 0.5, momentum: 0.9 });
    optimizer.addParamGroup({ params: [late], lr: 0.25 });
    early.sum().add(late.sum()).backward();
    optimizer.step();
    expect([early.tolist(), late.tolist()]).toEqual([
      [0.5, 0.5],
      [0.75, 0.75],
    ]);
    expect(optimizer.paramGroups[1]?.momentum).toBe(0.9);
    expect(() => optimizer.addParamGroup({ params: [late] })).toThrow('twice');
    expect(() => optimizer.addParamGroup({ params: [parameter()], momentum: -1 })).toThrow('momentum');
    expect(() => optimizer.addParamGroup({ params: [parameter()], weight_decay: 1 } as never)).toThrow('weightDecay');
    expect(optimizer.paramGroups).toHaveLength(2);
  });

  it.each<[string, (optimizer: optim.SGD) => optim.LRScheduler]>([
    ['ExponentialLR', (optimizer) => new optim.ExponentialLR(optimizer, { gamma: 0.5 })],
    ['LambdaLR', (optimizer) => new optim.LambdaLR(optimizer, (epoch) => 1 / (1 + epoch))],
    ['MultiplicativeLR', (optimizer) => new optim.MultiplicativeLR(optimizer, () => 0.9)],
    ['OneCycleLR', (optimizer) => new optim.OneCycleLR(optimizer, { maxLr: 1, totalSteps: 9 })],
    ['CyclicLR', (optimizer) => new optim.CyclicLR(optimizer, { baseLr: 0.1, maxLr: 1 })],
    ['SWALR', (optimizer) => new optim.SWALR(optimizer, { swaLr: 0.05 })],
    ['ChainedScheduler', (optimizer) => new optim.ChainedScheduler([new optim.StepLR(optimizer, { stepSize: 1 })])],
    [
      'SequentialLR',
      (optimizer) =>
        new optim.SequentialLR(optimizer, {
          schedules: [new optim.StepLR(optimizer, { stepSize: 1 })],
          milestones: [],
        }),
    ],
  ])('%s leaves a group that was added later as it is', (_name, make) => {
    const lone = new optim.SGD([parameter()], { lr: 0.5, momentum: 0.9 });
    const both = new optim.SGD([parameter()], { lr: 0.5, momentum: 0.9 });
    const schedules = [make(lone), make(both)];
    both.addParamGroup({ params: [parameter()], lr: 0.25 });
    for (let i = 0; i < 3; i++) {
      for (const schedule of schedules) schedule.step();
      expect(both.paramGroups.map(({ lr }) => lr)).toEqual([lone.paramGroups[0]?.lr, 0.25]);
    }
  });

  it('a schedule of several refuses the state of another number of them', () => {
    const optimizer = new optim.SGD([parameter()], { lr: 0.5 });
    const chained = (count: number) =>
      new optim.ChainedScheduler(
        Array.from({ length: count }, () => new optim.ExponentialLR(optimizer, { gamma: 0.5 })),
      );
    expect(() => chained(2).loadStateDict(chained(1).stateDict())).toThrow('consists of 1 schedules, this one of 2');
  });

  it('OneCycleLR takes epochs and steps per epoch', () => {
    const optimizer = new optim.SGD([parameter()], { lr: 0.5, momentum: 0.9 });
    expect(new optim.OneCycleLR(optimizer, { maxLr: 1, epochs: 3, stepsPerEpoch: 5 }).totalSteps).toBe(15);
    expect(() => new optim.OneCycleLR(optimizer, { maxLr: 1, epochs: 3 })).toThrow('stepsPerEpoch');
  });
});

describe('state of another memory layout', () => {
  it.each([
    ['SGD', () => ({ lr: 0.1, momentum: 0.9 })],
    ['AdamW', () => ({ lr: 0.1 })],
  ] as const)('%s takes it over in the layout of its parameters', (name, options) => {
    const conv = () => {
      const parameter = new nn.Parameter(
        torch.arange(24, { dtype: 'float32' }).reshape([2, 3, 2, 2]).contiguous({ memoryFormat: 'channelsLast' }),
      );
      return { parameter, optimizer: new optim[name]([parameter], options()) };
    };
    const advance = ({ parameter, optimizer }: ReturnType<typeof conv>) => {
      optimizer.zeroGrad();
      parameter
        .square()
        .mul(torch.arange(24, { dtype: 'float32' }).reshape([2, 3, 2, 2]))
        .sum()
        .backward();
      optimizer.step();
    };
    const [whole, resumed] = [conv(), conv()];
    advance(whole);
    torch.noGrad(() => resumed.parameter.copy_(whole.parameter));
    const { state, paramGroups } = whole.optimizer.stateDict();
    // As a file gives it: row by row.
    const rows = Object.fromEntries(
      Object.entries(state[0] ?? {}).map(([key, value]) => [
        key,
        typeof value === 'number' ? value : value.contiguous(),
      ]),
    );
    resumed.optimizer.loadStateDict({ state: { 0: rows }, paramGroups } as never);
    advance(whole);
    advance(resumed);
    expect(resumed.parameter.equal(whole.parameter)).toBe(true);
  });
});

describe('EMA', () => {
  it('begins with less decay where it warms up', () => {
    const model = new nn.Linear(1, 1, { bias: false }).to({ dtype: 'float64' });
    torch.noGrad(() => model.weight.fill_(0));
    const ema = new optim.EMA(model, { decay: 0.3, warmUp: true });
    let average = 0;
    for (let update = 0; update < 6; update++) {
      torch.noGrad(() => model.weight.fill_(torch.float(update + 1)));
      ema.update();
      const decay = Math.min(0.3, (1 + update) / (10 + update));
      average = decay * average + (1 - decay) * (update + 1);
      expect(Math.abs(Number(ema.averagedStateDict().weight?.item()) - average)).toBeLessThan(1e-12);
    }
  });

  it('AveragedModel averages equally, and updateBn gives it statistics of its own', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2)).eval();
    const averaged = new optim.AveragedModel(model);
    const weights = [1, 3, 8].map((value) => torch.full([2, 2], torch.float(value)));
    for (const weight of weights) {
      torch.noGrad(() => model.getParameter('0.weight').copy_(weight));
      averaged.update();
    }
    averaged.copyTo(model);
    expect(model.getParameter('0.weight').tolist()).toEqual([
      [4, 4],
      [4, 4],
    ]);
    const batches = [torch.randn([8, 2]), torch.randn([8, 2])];
    await nn.utils.updateBn(batches, model);
    const inner = torch.noGrad(() => batches.map((batch) => (model.at(0) as nn.Linear).forward(batch).mean([0])));
    const mean = torch.stack(inner).mean([0]);
    expect(model.getBuffer('1.running_mean').allclose(mean, 1e-5, 1e-6)).toBe(true);
    expect((model.at(1) as nn.BatchNorm1d).momentum).toBe(0.1);
    expect([...model.modules()].some(({ training }) => training)).toBe(false);
    expect(() => model.getBuffer('1.running_men')).toThrow('Did you mean 1.running_mean');
  });

  it('averages parameters with its decay, copies buffers, and continues from a saved state', () => {
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
