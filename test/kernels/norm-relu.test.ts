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
];
for (const shape of shapes)
  for (const dtype of ['float32', 'bfloat16'] as const)
    cases.push({ shape, dtype }, { shape, dtype, residual: true }, { shape, dtype, pooled: true });

/** Rounding of the results' type, and of sums in float32 in another order. */
const tolerance = { float32: 1e-6, bfloat16: 4e-3 };

const on = (x: Tensor) => x.to({ device, memoryFormat: 'channelsLast' });

/** Output, running statistics and gradients by kernels, or by libtorch's operators in float64. */
function run({ shape, dtype, residual, pooled }: Case, kernels: boolean) {
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
  const output = pooled ? norm.forwardReluPool(x) : norm.forwardRelu(x, residual ? other : undefined);
  output.backward(pooled ? toOutput.flatten(1) : toOutput);
  const found = {
    output,
    mean: norm.running_mean,
    variance: norm.running_var,
    input: x.grad,
    weight: norm.weight?.grad,
    bias: norm.bias?.grad,
    ...(residual && { residual: other.grad }),
  };
  return Object.fromEntries(
    Object.entries(found).map(([name, tensor]) => [
      name,
      (tensor as Tensor).detach().to({ device: 'cpu' }).to('float64'),
    ]),
  );
}

describe.skipIf(!isThere)('batch normalization and ReLU', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(cases)('%j', (which) => {
    const [ours, exact] = [withKernels(() => run(which, true)), run(which, false)];
    for (const [name, tensor] of Object.entries(ours)) {
      const expected = exact[name] as Tensor;
      const error = Number(tensor.sub(expected).norm().item()) / Number(expected.norm().item());
      expect(error, name).toBeLessThan(tolerance[which.dtype]);
    }
  });

  it('agrees with the plain operators in every case', () => {
    expect(refusedKernels(device)).toEqual([]);
  });
});
