import { describe, expect, it } from 'vitest';
import { SampleRandom } from '../../src/data/philox.js';
import { native } from '../../src/native.js';
import { type Parameter, parameterOf } from '../../src/tensor/arguments.js';
import { camelCase } from '../../src/tensor/names.js';
import { functionNames } from '../../src/tensor/ops.generated.js';
import torch, { dispatch, Generator, SrrlError, type Tensor } from '../../src/torch.js';

// Left out: operators of other backends, files and raw storages; internal ones (backward kernels trust their indices, in libtorch and
// PyTorch alike); and what takes as long or as much memory as its arguments say.
const leftOut =
  /^_|cuda|miopen|mps|mkldnn|xpu|quant|sparse|record_stream|^set$|^set_$|infinitely|from_file|names|storage|sym_|unsafe|cudnn|fbgemm|mobile|mvlgamma|resize|backward|window/;

const disposed = torch.ones([2]);
disposed.dispose();
const cyclic: unknown[] = [];
cyclic.push(cyclic);
const foreign = structuredClone({ handle: 1 });
const generator = new Generator(1);

const tensors: (() => Tensor)[] = [
  () => torch.ones([2, 3]),
  () => torch.zeros([0]),
  () => torch.tensor([1, 2, 0]),
  () => torch.ones([]),
  () => torch.ones([1, 2, 4, 4]),
  () => torch.tensor([true, false]),
  () => torch.ones([3, 3], { dtype: 'float64' }),
  () =>
    torch.tensor([
      [5, -7],
      [100000, 2],
    ]),
];
const pick = <T>(random: SampleRandom, choices: readonly T[]): T => choices[random.below(choices.length)] as T;

/** Calls, and returns the error; anything but an error of this package's fails the test. */
function attempt(name: string, call: () => unknown): void {
  torch.scope(() => {
    try {
      call();
    } catch (error) {
      if (!(error instanceof SrrlError)) throw new Error(`${name} threw ${error}`, { cause: error });
    }
  });
}

describe('whatever an operator is given', () => {
  it('of any kind, it works or throws a typed error', () => {
    const garbage = (random: SampleRandom): unknown =>
      pick(random, [
        pick(random, tensors)(),
        pick(random, tensors)(),
        pick(random, tensors)(),
        disposed,
        foreign,
        random.below(5) - 2,
        1.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        2 ** 31,
        2 ** 53,
        10n ** 30n,
        'x',
        'float32',
        'cuda:99',
        null,
        undefined,
        true,
        [1, 2],
        [2, -1],
        [Number.NaN],
        [],
        cyclic,
        [pick(random, tensors)()],
        [null],
        { dim: 1 },
        { nothing: 1 },
        Symbol('a'),
        () => 1,
        new Date(0),
        generator,
      ]);
    const before = torch.memory().tensors;
    for (const [number, name] of functionNames.entries()) {
      if (leftOut.test(name)) continue;
      for (let trial = 0; trial < 5; trial++) {
        const random = new SampleRandom(1, number, trial);
        const call = (torch as unknown as Record<string, (...args: unknown[]) => unknown>)[camelCase(name)];
        attempt(name, () => call?.(...Array.from({ length: random.below(5) }, () => garbage(random))));
      }
    }
    expect(torch.memory().tensors).toBe(before);
  });

  it('of the right kinds with odd values, it works or throws a typed error', () => {
    const values: Record<string, (random: SampleRandom) => unknown> = {
      Tensor: (random) => pick(random, tensors)(),
      int: (random) => pick(random, [0, 1, 2, 3, -1, -2, 7, 1000, -1000]),
      float: (random) => pick(random, [0, 1, 0.5, -1, Number.NaN, 1e30]),
      bool: (random) => pick(random, [true, false]),
      Scalar: (random) => pick(random, [0, 1, 2, -1, 0.5, true]),
      str: (random) => pick(random, ['none', 'mean', '', 'ij', 'reflect']),
      ScalarType: (random) => pick(random, ['float32', 'int64', 'bool', 'float64', 'complex64']),
      Layout: () => 'strided',
      MemoryFormat: (random) => pick(random, ['contiguous', 'channelsLast']),
      Device: () => 'cpu',
      Generator: () => generator,
    };
    const valueFor = (parameter: Parameter, random: SampleRandom): unknown => {
      if (parameter.optional && random.below(3) === 0) return null;
      if (parameter.hasDefault && random.below(2) === 0) return undefined;
      const one = () => values[parameter.kind]?.(random);
      return parameter.list ? Array.from({ length: parameter.size || random.below(4) }, one) : one();
    };
    let worked = 0;
    const names = native()
      .operatorNames()
      .filter((name) => name.startsWith('aten::') && !name.includes('out'))
      .sort();
    for (const [number, full] of names.entries()) {
      const [name = '', overload = ''] = full.slice('aten::'.length).split('.');
      if (leftOut.test(name) || leftOut.test(overload)) continue;
      const parameters = native()
        .schema(native().resolve(`aten::${name}`, overload))
        .arguments.map(parameterOf);
      if (parameters.some(({ kind }) => kind === 'unsupported')) continue;
      const random = new SampleRandom(2, number, 0);
      attempt(full, () => {
        const given = parameters.map((parameter) => ({ parameter, value: valueFor(parameter, random) }));
        const keywords = given.filter(({ parameter, value }) => parameter.keywordOnly && value !== undefined);
        const positional = given.filter(({ parameter }) => !parameter.keywordOnly).map(({ value }) => value);
        dispatch(
          full,
          ...positional,
          Object.fromEntries(keywords.map(({ parameter, value }) => [parameter.key, value])),
        );
        worked++;
      });
    }
    expect(worked).toBeGreaterThan(200);
  }, 120_000);
});
