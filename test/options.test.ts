import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as files from '../src/files/index.js';
import {
  AT,
  ConfigError,
  CRD,
  CrossEntropy,
  compareFolders,
  createConnector,
  DIST,
  DKD,
  distill,
  distillTogether,
  exportStudent,
  FitNets,
  holdOut,
  KD,
  LinearConnector,
  Loader,
  loadClassifier,
  loadStudent,
  losses,
  MapConnector,
  MLPConnector,
  models,
  openDataset,
  PooledConnector,
  ReviewKD,
  readStudentCard,
  SimKD,
  SP,
  SRRL,
  saveStudent,
  Teacher,
  traceGraph,
  train,
} from '../src/index.js';
import { writeReport } from '../src/report/index.js';
import { assertClose } from '../src/testing.js';
import torch, { Generator, nn, optim } from '../src/torch.js';

// biome-ignore lint/suspicious/noExplicitAny: these calls are those of plain JavaScript, which no type has checked.
type Anything = any;
type Callable = (...args: unknown[]) => unknown;

/** Take any number of arguments, or are made by subclasses alone. */
const exempt = [
  'Module',
  'Sequential',
  'Parameter',
  'Identity',
  'fastConvolutions',
  'anyHooks',
  'summary',
  'Optimizer',
  'LRScheduler',
  'ParametrizationList',
  // Answers later.
  'updateBn',
];

const operators = new Set<unknown>(Object.values(Object.getPrototypeOf(torch)));

function callables(name: string, room: object): [string, Callable][] {
  return Object.entries(room).flatMap(([key, value]): [string, Callable][] => {
    // Operators check their arguments against their schemas.
    if (typeof value !== 'function' || exempt.includes(key) || operators.has(value)) return [];
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    return [[`${name}.${key}`, isClass ? (...args) => Reflect.construct(value, args) : value]];
  });
}

const { tensor, fromArray, grad, autocast, asTensor, unique, uniqueConsecutive } = torch;
const { svdLowrank, pcaLowrank, finfo, iinfo, unravelIndex } = torch;
const created = { tensor, fromArray, grad, autocast, asTensor, unique, uniqueConsecutive };
const own = { ...created, svdLowrank, pcaLowrank, finfo, iinfo, unravelIndex };
const { loadNpy, saveNpy, saveNpz, savePth, loadSafetensors, openSafetensors, saveSafetensors } = files;
const saversAndLoaders = { loadNpy, saveNpy, saveNpz, savePth, loadSafetensors, openSafetensors, saveSafetensors };
const all = [
  ...callables('nn', nn),
  ...callables('nn.functional', nn.functional),
  ...callables('nn.init', nn.init),
  ...callables('nn.utils', nn.utils),
  ...callables('nn.utils.rnn', nn.utils.rnn),
  ...callables('nn.utils.parametrizations', nn.utils.parametrizations),
  ...callables('nn.utils.parametrize', nn.utils.parametrize),
  ...callables('optim', optim),
  ...callables('torch', own),
  ...callables('torch.autograd', {
    gradcheck: torch.autograd.gradcheck,
    detectAnomaly: torch.autograd.detectAnomaly,
    backward: torch.autograd.backward,
    forkRng: torch.random.forkRng,
  }),
  ...callables('models', { create: models.create }),
  ...callables('srrl', {
    Loader,
    writeReport,
    compareFolders,
    holdOut,
    createConnector,
    saveStudent,
    loadStudent,
    readStudentCard,
    distill,
    train,
  }),
  ...callables('srrl', { distillTogether, exportStudent, traceGraph }),
  ...callables('srrl.losses', losses),
  ...callables('srrl/testing', { assertClose }),
  ...callables('torch', { ...saversAndLoaders, Generator, Event: torch.Event }),
  ...callables('srrl', { LinearConnector, MapConnector, MLPConnector, PooledConnector }),
];

function errorOf(call: () => unknown): ConfigError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error('it was accepted');
}

/** What a call with far too many arguments says that it takes. */
function takes(call: Callable): { positional: string[]; options: string[] } {
  const { message } = errorOf(() => call(...new Array(30).fill('x')));
  expect(message).toMatch(/it takes /);
  const [, names = '', options = ''] =
    message.match(/it takes (?:at most (.*?)|nothing|no arguments)(?: and an object of options: (.*))?\.$/) ?? [];
  return { positional: names ? names.split(', ') : [], options: options ? options.split(', ') : [] };
}

describe('everything public', () => {
  it.each(all)('%s refuses further arguments and unknown options', (_name, call) => {
    const { positional, options } = takes(call);
    const before = positional.map(() => 'x');
    for (const option of options) {
      const typo = `${option}Z`;
      const { message } = errorOf(() => call(...before, { [typo]: undefined }));
      expect(message).toContain(`Unknown option '${typo}'.`);
      if (option.length > 3) expect(message).toMatch(/Did you mean /);
      const snake = option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (snake !== option)
        expect(errorOf(() => call(...before, { [snake]: 1 })).message).toContain(`Did you mean ${option}?`);
    }
    if (options.length === 0) errorOf(() => call(...before, { zzz: 1 }));
  });

  it('covers what is there', () => {
    expect(all.length).toBeGreaterThan(150);
    expect(all.filter(([, call]) => takes(call).options.length > 0).length).toBeGreaterThan(80);
  });

  it('methods of distillation do as well', () => {
    for (const Method of [AT, CRD, CrossEntropy, DIST, DKD, FitNets, KD, ReviewKD, SimKD, SP, SRRL] as Anything[])
      expect(errorOf(() => new Method({ temperatur: 1, zz: 2 })).message).toMatch(/Unknown option/);
    expect(errorOf(() => new (KD as Anything)({ temp: 4 })).message).toMatch(
      /Unknown option 'temp' in the method kd\. Did you mean temperature/,
    );
    expect(() => new (KD as Anything)(4)).toThrow(ConfigError);
  });

  it('and those that answer later', async () => {
    await expect((Teacher.load as Anything)('x.pt', { tpa: 'fc' })).rejects.toThrow(/'tpa'. Did you mean tap\?/);
    await expect((loadClassifier as Anything)('x', { topk: 1 })).rejects.toThrow(/'topk'. Did you mean topK\?/);
    await expect((files.loadPth as Anything)('x.pth', { unkown: 'opaque' })).rejects.toThrow(/Did you mean unknown\?/);
    await expect((nn.utils.updateBn as Anything)([], new nn.Identity(), 1)).rejects.toThrow(/at most batches, model/);
    await expect((openDataset as Anything)('x', 1, 2)).rejects.toThrow(
      /shardCache and shardCacheSize belong in the options/,
    );
    for (const call of [files.loadNpz, files.loadPth] as Anything[])
      await expect(call('x', 1, 2)).rejects.toThrow(/it takes at most/);
  });
});

it('methods of tensors and modules check their options', () => {
  const loss = torch.ones([1], { requiresGrad: true }).sum() as Anything;
  expect(errorOf(() => loss.backward(null, { retain_graph: true })).message).toContain('Did you mean retainGraph?');
  expect(errorOf(() => loss.isContiguous('channelsLast')).message).toContain('memoryFormat belongs in the options');
  const layer = new nn.Linear(1, 1) as Anything;
  expect(errorOf(() => layer.to('cpu')).message).toContain("Module.to({ device: 'cpu' })");
  expect(errorOf(() => layer.loadStateDict({}, false)).message).toContain('{ strict: false }');
});

it('saves tensors whatever their names are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'srrl-names-'));
  const named = { file: torch.ones([1]), value: torch.ones([1]), tensors: torch.ones([1]), metadata: torch.ones([1]) };
  files.savePth(join(folder, 'x.pth'), named);
  files.saveNpz(join(folder, 'x.npz'), named);
  files.saveSafetensors(join(folder, 'x.safetensors'), named);
  expect(Object.keys(files.loadSafetensors(join(folder, 'x.safetensors')).tensors).sort()).toEqual(
    Object.keys(named).sort(),
  );
  rmSync(folder, { recursive: true });
});

describe('arguments that belong in the options', () => {
  const params = () => [torch.zeros([1], { requiresGrad: true })];
  const x = torch.zeros([2, 3]);
  const target = torch.tensor([0, 1]);
  it.each<[string, (any: Anything, o: Anything, F: Anything) => unknown]>([
    [
      'new nn.Conv2d(3, 8, 3, 2, 1): stride and padding belong in the options: new nn.Conv2d(3, 8, 3, { stride: 2, padding: 1 }).',
      (n) => new n.Conv2d(3, 8, 3, 2, 1),
    ],
    ['new nn.Conv2d(3, 8, 3, { stride: 2, bias: false })', (n) => new n.Conv2d(3, 8, 3, 2, { bias: false })],
    ['new nn.ConvTranspose2d(3, 8, 3, { stride: 2, padding: 1 })', (n) => new n.ConvTranspose2d(3, 8, 3, 2, 1)],
    ['new nn.MaxPool2d(3, { stride: 2, padding: 1 })', (n) => new n.MaxPool2d(3, 2, 1)],
    ['new nn.BatchNorm2d(3, { eps: 0.001, momentum: 0.5 })', (n) => new n.BatchNorm2d(3, 1e-3, 0.5)],
    ['new nn.Linear(3, 4, { bias: false })', (n) => new n.Linear(3, 4, false)],
    ['new nn.LSTM(3, 4, { numLayers: 2 })', (n) => new n.LSTM(3, 4, 2)],
    ['new nn.ReLU(true): it takes nothing.', (n) => new n.ReLU(true)],
    ['new nn.LeakyReLU(negativeSlope)', (n) => new n.LeakyReLU({ negativeSlope: 0.2 })],
    ['new nn.Dropout(p)', (n) => new n.Dropout({ p: 0.2 })],
    ["{ reduction: 'sum' }", (n) => new n.MSELoss('sum') ?? n],
    [
      'new optim.Adam([...], { lr: 0.1 })',
      (_n, o) => new o.Adam([...params(), ...params(), ...params(), ...params(), ...params()], 0.1),
    ],
    ['{ stepSize: 30, gamma: 0.1 }', (_n, o) => new o.StepLR(new optim.SGD(params()), 30, 0.1)],
    ['new optim.EMA(Linear, { decay: 0.9 })', (_n, o) => new o.EMA(new nn.Linear(1, 1), 0.9)],
    ['{ normType: 1 }', (_n, o) => o.clipGradNorm_(params(), 1, 1)],
    ["{ reduction: 'none' }", (_n, _o, F) => F.mseLoss(x, x, 'none')],
    ['weight belongs in the options', (_n, _o, F) => F.crossEntropy(x, target, torch.ones([3]))],
    ["{ mode: 'reflect' }", (_n, _o, F) => F.pad(x, [1, 1], 'reflect')],
    ["tensor([1, 2], { dtype: 'float32' })", () => (torch.tensor as Anything)([1, 2], 'float32')],
  ])('%s', (message, call) => {
    expect(errorOf(() => call(nn, optim, nn.functional)).message).toContain(message);
  });

  it.each<[RegExp, (any: Anything, o: Anything, F: Anything) => unknown]>([
    [/'learningRate'\. Did you mean lr\?/, (_n, o) => new o.Adam(params(), { learningRate: 0.1 })],
    [/'learning_rate'\. Did you mean lr\?/, (_n, o) => new o.SGD(params(), { learning_rate: 0.1 })],
    [/'weight_decay'\. Did you mean weightDecay\?/, (_n, o) => new o.AdamW(params(), { weight_decay: 0.1 })],
    [/group of parameters.*'weight_decay'/, (_n, o) => new o.SGD([{ params: params(), weight_decay: 0 }])],
    [/'reduce'\. Did you mean reduction\?/, (_n, _o, F) => F.crossEntropy(x, target, { reduce: 'none' })],
    [/reduction must be 'none', 'mean' or 'sum', not 'avg'/, (_n, _o, F) => F.mseLoss(x, x, { reduction: 'avg' })],
    [/reduction must be/, (n) => new n.CrossEntropyLoss({ reduction: 'avg' })],
    [/lr must be a number, not '0\.1'/, (_n, o) => new o.Adam(params(), { lr: '0.1' })],
    [/bias must be a boolean, not 0/, (n) => new n.Linear(1, 1, { bias: 0 })],
    [/'kernel_size'/, (n) => new n.MaxPool2d(2, { kernel_size: 2 })],
    [/'ceil_mode'\. Did you mean ceilMode\?/, (n) => new n.MaxPool2d(2, { ceil_mode: true })],
    [/'inplace'/, (n) => new n.Conv2d(1, 1, 1, { inplace: true })],
  ])('%s', (message, call) => {
    expect(errorOf(() => call(nn, optim, nn.functional)).message).toMatch(message);
  });

  it('leave subclasses of the user alone', () => {
    class Mine extends nn.Module {
      constructor(
        readonly a: number,
        readonly b: { anything: number },
        readonly c = 0,
      ) {
        super();
      }
      forward() {}
    }
    class Wide extends nn.Conv2d {
      constructor(
        channels: number,
        readonly note: string,
      ) {
        super(channels, channels, 3, { padding: 1 });
      }
    }
    expect(new Mine(1, { anything: 2 }, 3).c).toBe(3);
    expect(new Wide(2, 'x').padding).toEqual([1, 1]);
    expect(new optim.SGD([{ params: params(), lr: 0.1, name: 'head' } as Anything], { lr: 1 }).paramGroups[0]?.lr).toBe(
      0.1,
    );
  });
});
