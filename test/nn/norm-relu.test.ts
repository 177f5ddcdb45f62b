import { afterAll, describe, expect, it } from 'vitest';
import { callOverload, overloadOf } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';

const setLanes = (lanes: number) => callOverload(overloadOf('srrl::vector_lanes'), [lanes]) as number;
// Whatever SRRL_VECTOR_WIDTH says: a width that the CPU does not have is lowered to its widest.
setLanes(16);
const widest = setLanes(16);
afterAll(() => void setLanes(widest));

type Sizes = [count: number, channels: number, height: number, width: number];
const layout = { memoryFormat: 'channelsLast' } as const;
const close = (actual: Tensor, expected: Tensor) =>
  Number(actual.to('float64').sub(expected).abs().max().item()) / Number(expected.abs().max().item());

interface Setting {
  sizes: Sizes;
  residual: boolean;
  mean?: number;
}

function inputs({ sizes, residual, mean = 0.5 }: Setting) {
  torch.manualSeed(sizes[1]);
  const map = () => torch.randn(sizes).contiguous(layout);
  return { x: map().add(mean), r: residual ? map() : undefined, g: map() };
}

function module(channels: number, dtype: 'float32' | 'float64') {
  torch.manualSeed(7);
  const norm = new nn.BatchNorm2d(channels);
  torch.noGrad(() => {
    norm.weight?.copy_(torch.randn([channels]));
    norm.bias?.copy_(torch.randn([channels]));
  });
  return norm.to({ dtype }).train();
}

/** Output, gradients of x, weight, bias and what is added, and the running statistics. */
function results(
  norm: nn.BatchNorm2d,
  { x, r, g }: ReturnType<typeof inputs>,
  forward: (x: Tensor, r?: Tensor) => Tensor,
) {
  const input = x.detach().requiresGrad_(true);
  const added = r?.detach().requiresGrad_(true);
  const y = forward(input, added);
  y.backward(g);
  const gradients = [input.grad, norm.weight?.grad, norm.bias?.grad, ...(added ? [added.grad] : [])];
  return [y.detach(), ...gradients, norm.running_mean, norm.running_var] as Tensor[];
}

const together = (norm: nn.BatchNorm2d) => (x: Tensor, r?: Tensor) => norm.forwardRelu(x, r);
const apart = (norm: nn.BatchNorm2d) => (x: Tensor, r?: Tensor) => {
  const y = norm.forward(x);
  return torch.relu(r ? y.add(r) : y);
};
const doubles = ({ x, r, g }: ReturnType<typeof inputs>) => ({
  x: x.to('float64'),
  r: r?.to('float64'),
  g: g.to('float64'),
});

const settings: Setting[] = [
  { sizes: [3, 16, 9, 7], residual: false },
  { sizes: [64, 32, 16, 16], residual: true },
  { sizes: [2, 272, 5, 5], residual: true },
  { sizes: [1, 48, 1, 2], residual: false },
  { sizes: [8, 64, 32, 32], residual: false, mean: 300 },
];

describe.each([16, 8].filter((lanes) => lanes <= widest))('normalization and ReLU with %i lanes', (lanes) => {
  it.each(settings)('give outputs, gradients and statistics of $sizes as in float64', (setting) => {
    setLanes(lanes);
    const given = inputs(setting);
    const [norm, plain, exact] = (['float32', 'float32', 'float64'] as const).map((dtype) =>
      module(setting.sizes[1], dtype),
    ) as [nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm2d];
    const actual = results(norm, given, together(norm));
    const usual = results(plain, given, apart(plain));
    const expected = results(exact, doubles(given), apart(exact));
    expect(actual).toHaveLength(expected.length);
    for (const [i, value] of actual.entries()) {
      // As near as the plain way is in float32, or to the seventh digit.
      const bound = Math.max(2e-6, 2 * close(usual[i] as Tensor, expected[i] as Tensor));
      expect(close(value, expected[i] as Tensor)).toBeLessThan(bound);
    }
    expect(actual[0]?.isContiguous(layout)).toBe(true);
    expect(Number(norm.num_batches_tracked.item())).toBe(1);
  });

  it('are the same bit for bit each time', () => {
    setLanes(lanes);
    const given = inputs(settings[1] as Setting);
    const [first, second] = [0, 1].map(() => {
      const norm = module(32, 'float32');
      return results(norm, given, together(norm));
    });
    for (const [i, value] of (first as Tensor[]).entries()) expect(value.equal(second?.[i] as Tensor)).toBe(true);
  });

  it('hand on what is NaN', () => {
    setLanes(lanes);
    const { x } = inputs(settings[0] as Setting);
    x.select(1, 3).fill_(Number.NaN);
    const bad = torch.isnan(module(16, 'float32').forwardRelu(x)).any([0, 2, 3]).toTypedArray();
    expect([...bad].flatMap((value, channel) => (value ? [channel] : []))).toEqual([3]);
  });
});

describe('what does not fit is computed one after the other', () => {
  const setting = settings[1] as Setting;
  it.each([
    ['float64', 32, (x: Tensor) => x.to('float64')],
    ['another layout', 32, (x: Tensor) => x.contiguous()],
    ['20 channels', 20, (x: Tensor) => x.narrow(1, 0, 20).contiguous(layout)],
  ] as const)('%s', (_, channels, change) => {
    setLanes(widest);
    const { x, r, g } = inputs(setting);
    const given = { x: change(x), r: r && change(r), g: change(g) };
    const [norm, plain] = [0, 1].map(() => module(channels, given.x.dtype as 'float32')) as [
      nn.BatchNorm2d,
      nn.BatchNorm2d,
    ];
    const expected = results(plain, given, apart(plain));
    for (const [i, value] of results(norm, given, together(norm)).entries())
      expect(value.equal(expected[i] as Tensor)).toBe(true);
  });

  it('evaluation, modules with hooks, and forwards of others', () => {
    const { x } = inputs(settings[0] as Setting);
    const norm = module(16, 'float32').eval();
    expect(norm.forwardRelu(x).equal(torch.relu(norm.forward(x)))).toBe(true);
    norm.train();
    const seen: Tensor[] = [];
    const hook = norm.registerForwardHook((_module, _inputs, output) => void seen.push(output as Tensor));
    const y = norm.forwardRelu(x);
    hook.remove();
    expect(seen).toHaveLength(1);
    expect(torch.relu(seen[0] as Tensor).equal(y)).toBe(true);
    class Twice extends nn.BatchNorm2d {
      override forward(input: Tensor): Tensor {
        return super.forward(input).mul(2);
      }
    }
    const twice = new Twice(16).train();
    expect(twice.forwardRelu(x).equal(torch.relu(new nn.BatchNorm2d(16).train().forward(x).mul(2)))).toBe(true);
  });
});

it('second derivatives are those of the plain operators', () => {
  setLanes(widest);
  const { x, r, g } = inputs({ sizes: [4, 16, 3, 3], residual: true });
  const second = (norm: nn.BatchNorm2d, forward: (x: Tensor, r?: Tensor) => Tensor, dtype: 'float32' | 'float64') => {
    const input = x.to(dtype).detach().requiresGrad_(true);
    const y = forward(input, r?.to(dtype));
    const [first] = torch.grad([y.mul(g.to(dtype)).sum()], [input, norm.weight as Tensor], { createGraph: true });
    return torch.grad([(first as Tensor).pow(2).sum()], [input, norm.weight as Tensor]) as Tensor[];
  };
  const [norm, exact] = [module(16, 'float32'), module(16, 'float64')];
  const actual = second(norm, together(norm), 'float32');
  const expected = second(exact, apart(exact), 'float64');
  for (const [i, value] of actual.entries()) expect(close(value, expected[i] as Tensor)).toBeLessThan(1e-4);
});

it('a frozen weight and an input without gradient are no hindrance', () => {
  const { x, g } = inputs(settings[0] as Setting);
  const norm = module(16, 'float32');
  norm.weight?.requiresGrad_(false);
  norm.forwardRelu(x).backward(g);
  expect(norm.weight?.grad ?? null).toBe(null);
  expect(Number(norm.bias?.grad?.abs().sum().item())).toBeGreaterThan(0);
});
