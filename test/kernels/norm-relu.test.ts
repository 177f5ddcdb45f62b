/** Own kernels against libtorch's operators; on the mock device they are run as C++, see test/native/emulated.cc. */
import { beforeAll, describe, expect, it } from 'vitest';
import { BatchNorm2d } from '../../src/nn/index.js';
import {
  installKernels,
  manualSeed,
  noGrad,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

type Type = 'float32' | 'bfloat16';

interface Case {
  shape: [number, number, number, number];
  dtype: Type;
  residual?: boolean;
  pooled?: boolean;
  linear?: boolean;
  sum?: boolean;
}

const cases: Case[] = [];
const shapes: Case['shape'][] = [
  [2, 16, 8, 8],
  [3, 5, 7, 9],
  [1, 1, 3, 5],
  [5, 33, 3, 1],
  [2, 264, 2, 3],
  [9, 48, 11, 13],
  [64, 8, 16, 16],
  [5, 33, 21, 20],
];
for (const shape of shapes)
  for (const dtype of ['float32', 'bfloat16'] as const)
    for (const form of [{}, { residual: true }, { pooled: true }, { linear: true }, { sum: true }])
      cases.push({ shape, dtype, ...form });

// So many blocks that the last of them joins what the others found.
cases.push({ shape: [129, 32, 16, 16], dtype: 'float32' });

/** Rounding of the results' type, and of sums in float32 in another order. */
const tolerance = { float32: 1e-6, bfloat16: 4e-3 };

const on = (x: Tensor) => x.to({ device, memoryFormat: 'channelsLast' });

/** Output, running statistics and gradients by kernels, or by libtorch's operators in float64. */
function run({ shape, dtype, residual, pooled, linear, sum }: Case, kernels: boolean) {
  manualSeed(7);
  const [images, channels] = shape;
  const draw = (sizes: number[]) => torch.randn(sizes, { dtype: 'float32' });
  const rounded = (x: Tensor) => (kernels ? on(x.to(dtype)) : x.to(dtype).to('float64'));
  const [x, other] = [rounded(draw(shape).mul(3).add(5)), rounded(draw(shape))];
  for (const tensor of [x, other]) tensor.requiresGrad = true;
  const norm = new BatchNorm2d(channels);
  noGrad(() => {
    norm.weight?.copy_(draw([channels]));
    norm.bias?.copy_(draw([channels]));
  });
  norm.to(kernels ? { device } : { dtype: 'float64' });
  const toOutput = rounded(pooled ? draw([images, channels, 1, 1]) : draw(shape));
  const toSum = rounded(draw(shape));
  let output: Tensor;
  let both: Tensor | undefined;
  if (sum && kernels) [output, both] = norm.forwardReluSum(x, other);
  else if (sum) {
    // A sum is a result of its own, rounded as such.
    both = x.add(other);
    const lost = both.to(dtype).to('float64').sub(both).detach();
    both = both.add(lost);
    output = norm.forwardRelu(both);
  } else if (linear) output = norm.forward(x);
  else output = pooled ? norm.forwardReluPool(x) : norm.forwardRelu(x, residual ? other : undefined);
  const loss = output.mul(pooled ? toOutput.flatten(1) : toOutput).sum();
  (both ? loss.add(both.mul(toSum).sum()) : loss).backward();
  const found = {
    output,
    mean: norm.running_mean,
    variance: norm.running_var,
    input: x.grad,
    weight: norm.weight?.grad,
    bias: norm.bias?.grad,
    ...((residual || sum) && { residual: other.grad }),
    ...(both && { sum: both }),
    batches: norm.num_batches_tracked,
  };
  return Object.fromEntries(
    Object.entries(found).map(([name, tensor]) => [
      name,
      (tensor as Tensor).detach().to({ device: 'cpu' }).to('float64'),
    ]),
  );
}

describe.skipIf(!isThere)('batch normalization', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(cases)('%j', (which) => {
    const [ours, exact] = [withKernels(() => run(which, true)), run(which, false)];
    for (const [name, tensor] of Object.entries(ours)) {
      const expected = exact[name] as Tensor;
      const error = Number(tensor.sub(expected).norm().item()) / Number(expected.norm().item());
      expect(error, name).toBeLessThan(tolerance[which.dtype]);
    }
  });

  it('computes the same bits each time', () => {
    for (const which of cases.filter(({ shape }) => shape[0] === 9)) {
      const [first, second] = [0, 1].map(() => withKernels(() => run(which, true)));
      for (const [name, tensor] of Object.entries(first ?? {}))
        expect(tensor.equal(second?.[name] as Tensor)).toBe(true);
    }
  });

  it('keeps its accuracy where values are far from 0, or one of them is', () => {
    const x = torch.randn([9, 16, 13, 11], { dtype: 'float32' }).add(300);
    x.select(1, 3).fill_(2).at(0, 0, 0).fill_(500);
    const norm = new BatchNorm2d(16, { momentum: 1 }).to({ device });
    withKernels(() => norm.forwardRelu(on(x)));
    const exact = torch.var(x.to('float64'), [0, 2, 3]);
    const error = norm.running_var.to({ device: 'cpu' }).to('float64').div(exact).sub(1).abs().max();
    expect(Number(error.item())).toBeLessThan(1e-5);
  });

  it('counts batches in its own launch', () => {
    const norm = new BatchNorm2d(16).to({ device });
    for (let i = 0; i < 3; i++) withKernels(() => norm.forwardRelu(on(torch.randn([4, 16, 3, 3]))));
    expect(Number(norm.num_batches_tracked.item())).toBe(3);
  });

  it('returns the gradient of a sum where only the sum is used, and of the output where only that is', () => {
    for (const which of [0, 1]) {
      const [x, y] = [0, 1].map(() => on(torch.randn([4, 16, 3, 3])).requiresGrad_(true)) as [Tensor, Tensor];
      const norm = new BatchNorm2d(16).to({ device });
      withKernels(() => (norm.forwardReluSum(x, y)[which] as Tensor).pow(2).sum().backward());
      expect(x.grad?.equal(y.grad as Tensor)).toBe(true);
      expect(Number(x.grad?.abs().sum().item())).toBeGreaterThan(0);
      expect(norm.weight?.grad === null).toBe(which === 1);
    }
  });

  it('agrees with the plain operators in every case', () => {
    expect(refusedKernels(device)).toEqual([]);
  });
});
