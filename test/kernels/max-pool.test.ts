/** Own kernels of max pooling against libtorch's operators on the CPU; on the mock device they are run as C++. */
import { beforeAll, describe, expect, it } from 'vitest';
import { MaxPool2d, type MaxPoolOptions } from '../../src/nn/index.js';
import {
  grad,
  installKernels,
  manualSeed,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

type Window = [number | [number, number], MaxPoolOptions];
const windows: Record<string, Window> = {
  'of a stem': [3, { stride: 2, padding: 1 }],
  'of VGG': [2, {}],
  'of a stem without padding, up': [3, { stride: 2, ceilMode: true }],
  'that overlap': [3, { stride: 1, padding: 1 }],
  'with gaps between them': [2, { stride: 3, ceilMode: true }],
  'of two sizes': [[5, 2], { stride: [2, 1], padding: [2, 1] }],
  'with dilation': [2, { stride: 1, dilation: 2 }],
};
const shapes: [number, number, number, number][] = [
  [2, 8, 14, 14],
  [3, 16, 9, 11],
  [1, 5, 7, 6],
  [4, 24, 6, 13],
];
const cases = Object.keys(windows).flatMap((window) =>
  shapes.flatMap((shape) => (['float32', 'bfloat16'] as const).map((dtype) => ({ window, shape, dtype }))),
);

/** Few values, so that many are equal, and some that are NaN or infinite. */
function drawn(shape: number[], special: boolean): Tensor {
  const values = torch.randint(-3, 4, shape).to('float32');
  if (!special) return values;
  const rare = torch.rand(shape);
  return values
    .maskedFill(rare.lt(0.05), Number.NaN)
    .maskedFill(rare.gt(0.9), Number.NEGATIVE_INFINITY)
    .maskedFill(rare.sub(0.5).abs().lt(0.02), Number.POSITIVE_INFINITY);
}

/** Output and gradient, on the CPU. */
function pooled(x: Tensor, toOutput: (shape: number[]) => Tensor, [kernelSize, options]: Window) {
  const input = x.detach();
  input.requiresGrad = true;
  const output = new MaxPool2d(kernelSize, options).forward(input);
  output.backward(toOutput(output.shape));
  const all = [output.detach(), input.grad as Tensor];
  return all.map((tensor) => tensor.to({ device: 'cpu', dtype: 'float64', memoryFormat: 'contiguous' })) as [
    Tensor,
    Tensor,
  ];
}

describe.skipIf(!isThere)('max pooling', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.each(cases)('$window of $shape in $dtype', ({ window, shape, dtype }) => {
    for (const special of [false, true]) {
      manualSeed(7);
      const x = drawn(shape, special);
      const gradients = torch.randn([40_000]);
      const given = (sizes: number[]) =>
        gradients
          .narrow(
            0,
            0,
            sizes.reduce((a, b) => a * b, 1),
          )
          .view(sizes)
          .to(dtype);
      const on = (tensor: Tensor) => tensor.to({ device, memoryFormat: 'channelsLast' });
      const which = windows[window] as Window;
      const [output, gradient] = withKernels(() => pooled(on(x.to(dtype)), (sizes) => on(given(sizes)), which));
      const [expected, exact] = pooled(x.to('float64'), (sizes) => given(sizes).to('float64'), which);
      expect(torch.allclose(output, expected, 0, 0, true)).toBe(true);
      // Rounding of the results' type, and of sums in float32.
      const error = Number(gradient.sub(exact).norm().item()) / Number(exact.norm().item());
      expect(error).toBeLessThan({ float32: 1e-6, bfloat16: 4e-3 }[dtype]);
    }
  });

  it('has second derivatives', () => {
    const x = torch.randn([1, 8, 5, 5]).to({ device, memoryFormat: 'channelsLast' });
    x.requiresGrad = true;
    const [first] = withKernels(() => grad(new MaxPool2d(2).forward(x).pow(3).sum(), [x], { createGraph: true }));
    (first as Tensor).sum().backward();
    const largest = torch.maxPool2d(x.detach().to({ device: 'cpu' }), [2, 2]);
    expect(Number(x.grad?.sum().item())).toBeCloseTo(Number(largest.mul(6).sum().item()), 3);
  });

  it('refuses what libtorch refuses, and takes other layouts and single images', () => {
    const x = torch.randn([2, 3, 6, 6]).to({ device });
    withKernels(() => {
      expect(() => new MaxPool2d(2, { padding: 2 }).forward(x)).toThrow(/pad should be at most half/);
      for (const tensor of [x, x.select(0, 1), x.to('float16')])
        expect(new MaxPool2d(2).forward(tensor).shape).toEqual([...tensor.shape.slice(0, -2), 3, 3]);
    });
  });

  it.each([2 ** 16, 2 ** 31, 2 ** 32 + 1, 2 ** 40, 2 ** 53 - 1])('of windows of %d does what libtorch does', (huge) => {
    const x = torch.randn([1, 4, 6, 6]);
    const sizes: Window[] = [
      ...([
        [huge, {}],
        [[huge, huge], { padding: Math.floor(huge / 2) }],
        [[2, huge], {}],
      ] as Window[]),
      ...(['stride', 'padding', 'dilation'] as const).map((name): Window => [2, { [name]: huge }]),
    ];
    const outcomeOf = (input: Tensor, [kernelSize, options]: Window) => {
      try {
        return new MaxPool2d(kernelSize, options).forward(input).tolist();
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    for (const window of sizes) {
      const onDevice = withKernels(() => outcomeOf(x.to({ device, memoryFormat: 'channelsLast' }), window));
      expect(onDevice, JSON.stringify(window)).toEqual(outcomeOf(x, window));
    }
  });

  it('agrees with the plain operators in every case', () => {
    expect(refusedKernels(device)).toEqual([]);
  });
});
