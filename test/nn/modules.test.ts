import { describe, expect, it } from 'vitest';
import torch, { nn, Tensor } from '../../src/torch.js';
import { expectClose } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';
import { type Case, cases } from './module-cases.js';

interface Expected {
  shapes: number[][];
  outputs: number[][];
  inputs: number[][];
  gradients: Record<string, number[]>;
  buffers: Record<string, number[]>;
  keys: string[];
  /** Absent where evaluation mode gives the same. */
  evaluated?: number[][];
}
const expected = fixture<{
  modules: Record<string, Expected>;
  inits: Record<string, Record<string, number[]>>;
  fillers: Record<string, number[]>;
}>('modules');

const tensorsIn = (value: unknown): Tensor[] => {
  if (value instanceof Tensor) return [value];
  return Array.isArray(value) ? value.flatMap(tensorsIn) : [];
};

function fill(module: nn.Module): void {
  torch.noGrad(() => {
    for (const [i, parameter] of [...module.parameters()].entries())
      parameter.copy_(ramp(parameter.shape, { scale: 0.5, offset: 0.1, step: 31 + 2 * i }));
  });
}

const inputsOf = ({ inputs }: Case): Tensor[] =>
  inputs.map((input, i) => (Array.isArray(input) ? ramp(input, { step: 17 + 2 * i }).requiresGrad_() : input));

function run({ module, call }: Case, inputs: Tensor[]): Tensor[] {
  const forward = module.forward.bind(module) as (...inputs: Tensor[]) => unknown;
  return tensorsIn(call ? call(module as never, ...inputs) : forward(...inputs));
}

/** One number for each element of the outputs, all weighted differently. */
const weighted = (outputs: Tensor[]): Tensor =>
  outputs.map((y, i) => y.mul(ramp(y.shape, { step: 29 + 2 * i })).sum()).reduce((sum, value) => sum.add(value));

describe('every module agrees with PyTorch in float64', () => {
  it('has a case for every fixture', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(expected.modules).sort());
  });

  it.each(Object.entries(cases))('%s', (name, given) => {
    const { module } = given;
    const want = expected.modules[name] as Expected;
    module.to({ dtype: 'float64' }).train();
    fill(module);
    const inputs = inputsOf(given);
    const outputs = run(given, inputs);
    expect(outputs.map(({ shape }) => shape)).toEqual(want.shapes);
    for (const [i, output] of outputs.entries()) expectClose(output, want.outputs[i] as number[], 1e-9);
    weighted(outputs).backward();
    const wanting = inputs.filter((input) => input.requiresGrad);
    expect(wanting).toHaveLength(want.inputs.length);
    for (const [i, input] of wanting.entries()) expectClose(input.grad as Tensor, want.inputs[i] as number[], 1e-9);
    for (const [key, parameter] of module.namedParameters()) {
      const { grad } = parameter;
      expect([key, grad !== null]).toEqual([key, key in want.gradients]);
      if (grad) expectClose(grad.toDense(), want.gradients[key] as number[], 1e-9);
    }
    expect(Object.keys(module.stateDict())).toEqual(want.keys);
    for (const [key, buffer] of module.namedBuffers()) expectClose(buffer, want.buffers[key] as number[], 1e-11);
    module.eval();
    const evaluated = run(given, inputs);
    for (const [i, output] of evaluated.entries())
      expectClose(output, (want.evaluated ?? want.outputs)[i] as number[], 1e-9);
  });

  it.each(Object.entries(cases).filter(([, { noGradcheck }]) => !noGradcheck))('%s: gradcheck', (_name, given) => {
    const { module } = given;
    module.to({ dtype: 'float64' }).train();
    fill(module);
    const inputs = inputsOf(given);
    const parameters = [...module.parameters()];
    const scalar = () => weighted(run(given, inputs)).reshape([1]);
    const checked = [...inputs.filter((input) => input.requiresGrad), ...parameters];
    expect(torch.autograd.gradcheck(scalar, checked)).toBe(true);
  });
});

describe('initial weights', () => {
  it.each(
    Object.entries({
      convTranspose2d: () => new nn.ConvTranspose2d(4, 6, 3, { groups: 2 }),
      embedding: () => new nn.Embedding(4, 3, { paddingIdx: 1 }),
      multiheadAttention: () => new nn.MultiheadAttention(4, 2),
      lstm: () => new nn.LSTM(3, 4, { bidirectional: true }),
      groupNorm: () => new nn.GroupNorm(2, 4),
    }),
  )('of %s are those that PyTorch draws from the same seed', (name, make) => {
    torch.manualSeed(7);
    const parameters = [...make().namedParameters()];
    expect(parameters.map(([key]) => key)).toEqual(Object.keys(expected.inits[name] ?? {}));
    for (const [key, parameter] of parameters) expectClose(parameter, expected.inits[name]?.[key] as number[], 1e-6);
  });

  it.each(
    Object.entries({
      xavierUniform: { shape: [3, 4], draw: (t: Tensor) => nn.init.xavierUniform_(t, 2) },
      xavierNormal: { shape: [3, 4], draw: (t: Tensor) => nn.init.xavierNormal_(t) },
      kaimingNormalFanOut: {
        shape: [4, 3, 2, 2],
        draw: (t: Tensor) => nn.init.kaimingNormal_(t, { mode: 'fanOut', nonlinearity: 'relu' }),
      },
      orthogonalWide: { shape: [2, 6], draw: (t: Tensor) => nn.init.orthogonal_(t, 1.5) },
      orthogonalTall: { shape: [5, 3], draw: (t: Tensor) => nn.init.orthogonal_(t) },
      eye: { shape: [3, 4], draw: (t: Tensor) => nn.init.eye_(t) },
      dirac: { shape: [4, 2, 3], draw: (t: Tensor) => nn.init.dirac_(t, 2) },
    }),
  )('%s draws what PyTorch draws', (name, { shape, draw }) => {
    torch.manualSeed(11);
    const tensor = torch.empty(shape, { dtype: 'float64' });
    expect(draw(tensor)).toBe(tensor);
    expectClose(tensor, expected.fillers[name] as number[], 1e-9);
  });

  it('truncNormal_ stays inside its bounds and has the moments of the truncated distribution', () => {
    torch.manualSeed(3);
    const drawn = nn.init.truncNormal_(torch.empty([100_000]), { mean: 1, std: 2, a: 0, b: 3 });
    expect(Number(drawn.min().item())).toBeGreaterThanOrEqual(0);
    expect(Number(drawn.max().item())).toBeLessThanOrEqual(3);
    // The closed form with the normal density and distribution at (0 - 1) / 2 and (3 - 1) / 2.
    expect(Math.abs(Number(drawn.mean().item()) - 1.413262)).toBeLessThan(0.01);
    expect(Math.abs(Number(drawn.std().item()) - 0.83132)).toBeLessThan(0.01);
  });

  it('sparse_ leaves the share of zeros in each column', () => {
    const matrix = nn.init.sparse_(torch.empty([10, 4]), 0.3);
    expect(matrix.eq(0).sum([0]).tolist()).toEqual([3, 3, 3, 3]);
  });
});
