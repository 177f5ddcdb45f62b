import { afterAll, describe, expect, it } from 'vitest';
import { fastConvolutions } from '../../src/nn/index.js';
import { callOverload, FrozenGraph, overloadOf } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';

const setLanes = (lanes: number) => callOverload(overloadOf('srrl::vector_lanes'), [lanes]) as number;
// Whatever SRRL_VECTOR_WIDTH says: a width that the CPU does not have is lowered to its widest.
setLanes(16);
const widest = setLanes(16);
afterAll(() => void setLanes(widest));

const layout = { memoryFormat: 'channelsLast' } as const;
/** Of the largest value: ten times what a plain convolution in float32 errs, and a tenth of what TF32 does. */
const tolerance = 1e-4;
const error = (actual: Tensor, expected: Tensor) =>
  Number(actual.to('float64').sub(expected).abs().max().item()) / Number(expected.abs().max().item());

interface Case {
  sizes: [count: number, from: number, to: number, height: number, width: number];
  bias?: boolean;
}
const cases: Case[] = [
  { sizes: [3, 16, 32, 32, 32] },
  { sizes: [2, 32, 16, 8, 8], bias: true },
  { sizes: [5, 48, 80, 7, 13], bias: true },
  { sizes: [1, 16, 48, 4, 4] },
  { sizes: [70, 64, 64, 4, 5], bias: true },
  { sizes: [2, 256, 240, 7, 7] },
];

function inputs({ sizes: [count, from, to, height, width], bias }: Case) {
  torch.manualSeed(count + from);
  const x = torch.randn([count, from, height, width]).contiguous(layout);
  const w = torch.randn([to, from, 3, 3]).mul(0.1).contiguous(layout);
  return { x, w, b: bias ? torch.randn([to]) : null, g: torch.randn([count, to, height, width]) };
}

/** Output and gradients of x, w and b, of a convolution made by a module. */
function results(conv: nn.Conv2d, x: Tensor, g: Tensor, fast: boolean): Tensor[] {
  const input = x.detach().requiresGrad_(true);
  const y = fast ? fastConvolutions(() => conv.forward(input)) : conv.forward(input);
  y.backward(g);
  return [y.detach(), input.grad, conv.weight.grad, ...(conv.bias ? [conv.bias.grad] : [])].map((t) => t as Tensor);
}

function module(
  { sizes: [, from, to], bias = false }: Case,
  w: Tensor,
  b: Tensor | null,
  dtype: 'float32' | 'float64',
) {
  const conv = new nn.Conv2d(from, to, 3, { padding: 1, bias }).to({ dtype });
  torch.noGrad(() => {
    conv.weight.copy_(w);
    if (b) conv.bias?.copy_(b);
  });
  return conv.to({ memoryFormat: 'channelsLast' });
}

describe.each([16, 8].filter((lanes) => lanes <= widest))('fast convolutions with %i lanes', (lanes) => {
  it.each(cases)('give outputs and gradients of $sizes as in float64', (example) => {
    setLanes(lanes);
    const { x, w, b, g } = inputs(example);
    const actual = results(module(example, w, b, 'float32'), x, g, true);
    const expected = results(module(example, w, b, 'float64'), x.to('float64'), g.to('float64'), false);
    for (const [i, value] of actual.entries()) expect(error(value, expected[i] as Tensor)).toBeLessThan(tolerance);
    // It is another way, and not the plain one under its name.
    const plain = results(module(example, w, b, 'float32'), x, g, false);
    expect((actual[0] as Tensor).equal(plain[0] as Tensor)).toBe(false);
    expect(actual[0]?.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
  });

  it('are the same bit for bit each time', () => {
    setLanes(lanes);
    const { x, w, b, g } = inputs(cases[2] as Case);
    const [first, second] = [0, 1].map(() => results(module(cases[2] as Case, w, b, 'float32'), x, g, true));
    for (const [i, value] of (first as Tensor[]).entries()) expect(value.equal(second?.[i] as Tensor)).toBe(true);
  });

  it('hand on what is NaN where it belongs', () => {
    setLanes(lanes);
    const { x, w } = inputs(cases[3] as Case);
    x.select(0, 0).select(0, 0).select(0, 0).select(0, 0).fill_(Number.NaN);
    const y = fastConvolutions(() => module(cases[3] as Case, w, null, 'float32').forward(x));
    expect(torch.isnan(y).any().item()).toBe(true);
  });
});

describe('what is not of their kind is computed as always, bit for bit', () => {
  const plainOf = (conv: nn.Conv2d, x: Tensor) => [
    fastConvolutions(() => conv.forward(x)),
    torch.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding as number[], conv.dilation, conv.groups),
  ];
  it.each([
    ['channels that are no multiple of 16', () => new nn.Conv2d(3, 32, 3, { padding: 1 }), [2, 3, 8, 8]],
    ['few channels', () => new nn.Conv2d(16, 16, 3, { padding: 1 }), [2, 16, 8, 8]],
    ['large kernels', () => new nn.Conv2d(512, 256, 3, { padding: 1 }), [1, 512, 8, 8]],
    ['a stride', () => new nn.Conv2d(16, 32, 3, { padding: 1, stride: 2 }), [2, 16, 8, 8]],
    ['no padding', () => new nn.Conv2d(16, 32, 3), [2, 16, 8, 8]],
    ['groups', () => new nn.Conv2d(16, 32, 3, { padding: 1, groups: 4 }), [2, 16, 8, 8]],
    ['another kernel', () => new nn.Conv2d(16, 32, 5, { padding: 2 }), [2, 16, 8, 8]],
    ['tiny maps', () => new nn.Conv2d(16, 32, 3, { padding: 1 }), [2, 16, 2, 2]],
    ['no images', () => new nn.Conv2d(16, 32, 3, { padding: 1 }), [0, 16, 8, 8]],
    ['float64', () => new nn.Conv2d(16, 32, 3, { padding: 1 }).to({ dtype: 'float64' }), [2, 16, 8, 8]],
  ] as const)('%s', (_, make, shape) => {
    const conv = make();
    const x = torch
      .randn([...shape])
      .contiguous(layout)
      .to(conv.weight.dtype);
    const [actual, expected] = plainOf(conv, x) as [Tensor, Tensor];
    expect(actual.equal(expected)).toBe(true);
  });

  it('maps in another layout, and machines without wide vectors', () => {
    const conv = new nn.Conv2d(16, 32, 3, { padding: 1 });
    const x = torch.randn([2, 16, 8, 8]);
    for (const [lanes, input] of [[widest, x] as const, [0, x.contiguous(layout)] as const]) {
      setLanes(lanes);
      const [actual, expected] = plainOf(conv, input) as [Tensor, Tensor];
      expect(actual.equal(expected)).toBe(true);
    }
    setLanes(widest);
  });

  it('images of the wrong number of channels, which are refused', () => {
    const conv = new nn.Conv2d(16, 32, 3, { padding: 1 });
    expect(() => fastConvolutions(() => conv.forward(torch.randn([2, 32, 8, 8]).contiguous(layout)))).toThrow(
      /expected input.*to have 16 channels, but got 32/,
    );
  });

  it('a bias of the wrong size, which is refused instead of read beyond its end', () => {
    const values = [torch.randn([2, 16, 8, 8]).contiguous(layout), torch.randn([32, 16, 3, 3]), torch.randn([8])];
    expect(() => callOverload(overloadOf('srrl::conv3x3'), values)).toThrow(/expected bias/);
  });
});

it('second derivatives are those of the plain convolution', () => {
  const conv = new nn.Conv2d(16, 32, 3, { padding: 1 });
  const x = torch.randn([2, 16, 8, 8]).contiguous(layout).requiresGrad_(true);
  const second = (fast: boolean) => {
    const y = fast ? fastConvolutions(() => conv.forward(x)) : conv.forward(x);
    const [first] = torch.autograd.grad([y.pow(3).sum()], [x], { createGraph: true }) as [Tensor];
    return (torch.autograd.grad([first.pow(2).sum()], [x]) as [Tensor])[0];
  };
  expect(error(second(true), second(false).to('float64'))).toBeLessThan(tolerance);
});

describe('frozen graphs', () => {
  class Block extends nn.Module {
    readonly first = new nn.Conv2d(16, 32, 3, { padding: 1 });
    readonly second = new nn.Conv2d(32, 32, 3, { padding: 1, bias: false });
    readonly shortcut = new nn.Conv2d(16, 32, 1);
    forward(x: Tensor): Tensor {
      const inner = this.second.forward(torch.relu(this.first.forward(x)));
      return torch.relu(this.shortcut.forward(x).add(inner)).mul(2);
    }
  }

  it('have an addition and a ReLU in the convolution, and give the same', () => {
    const block = new Block().requiresGrad_(false).to({ memoryFormat: 'channelsLast' });
    const x = torch.randn([4, 16, 9, 9]).contiguous(layout);
    const graph = FrozenGraph.trace(x, (images) => [block.forward(images)]).folded();
    const text = graph.toString();
    const found = [text.match(/srrl::conv3x3_frozen/g)?.length ?? 0, /aten::(relu|add)/.test(text)];
    expect(found).toEqual(widest > 0 ? [2, false] : [0, true]);
    for (const images of [x, torch.randn([7, 16, 9, 9]), torch.randn([2, 16, 2, 2])]) {
      const expected = block.to({ dtype: 'float64' }).forward(images.to('float64'));
      block.to({ dtype: 'float32' });
      expect(error(graph.run(images)[0] as Tensor, expected)).toBeLessThan(tolerance);
    }
    graph.dispose();
  });
});
