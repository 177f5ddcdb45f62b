/**
 * Gradients of weights that a captured step computes next to the chain of the others are those of autograd, and the
 * mock device, which follows streams, finds that nothing uses them too soon.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gradientsAside } from '../../src/nn/aside.js';
import { HalfWeights } from '../../src/nn/half-weights.js';
import { autocast, DeviceGraph, installKernels, keep, withKernels } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { addDevice, device, emulateKernels, isMock, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const precisions = ['float32', 'bfloat16', 'float16'] as const;
type Precision = (typeof precisions)[number];

const held: { dispose(): void }[] = [];
afterEach(() => {
  for (const holder of held.splice(0)) holder.dispose();
});

/** Convolutions of all kinds that autograd treats differently, one of them used twice, and a linear layer behind. */
function network(): { modules: nn.Module[]; forward: (x: Tensor) => Tensor } {
  torch.manualSeed(5);
  const first = new nn.Conv2d(3, 8, 3, { padding: 1, bias: false });
  const twice = new nn.Conv2d(8, 8, 3, { padding: 'same' });
  const pointwise = new nn.Conv2d(8, 6, 1, { stride: 2 });
  const grouped = new nn.Conv2d(6, 6, [3, 1], { groups: 3, padding: [1, 0], dilation: [1, 1] });
  const frozen = new nn.Conv2d(6, 6, 1);
  frozen.requiresGrad_(false);
  const last = new nn.Linear(6, 4);
  const modules = [first, twice, pointwise, grouped, frozen, last];
  for (const module of modules) module.to({ device, memoryFormat: 'channelsLast' });
  const forward = (x: Tensor) => {
    const maps = first.forward(x);
    const sum = nn.functional.relu(twice.forward(maps)).add(maps);
    const small = grouped.forward(pointwise.forward(twice.forward(sum)));
    return last.forward(frozen.forward(small).mean([2, 3]));
  };
  return { modules, forward };
}

const images = (count: number) => {
  torch.manualSeed(7);
  return keep(torch.randn([count, 3, 6, 6]).to({ device, memoryFormat: 'channelsLast' }));
};

const named = (modules: nn.Module[]) =>
  modules.flatMap((module, i) =>
    [...module.namedParameters()].map(([name, param]) => [`${i}.${name}`, param] as const),
  );

/** The gradients of two backwards, as a step in two parts does, by whatever `around` does with them. */
function gradients(precision: Precision, narrow: boolean, captured: boolean) {
  const { modules, forward } = network();
  const half = precision === 'float32' ? undefined : new HalfWeights(precision);
  if (half) held.push(half);
  const parts = narrow ? [images(4)] : [images(4), images(2)];
  const pass = () => {
    for (const x of parts) {
      const loss = () => forward(x).pow(2).mean();
      const within = () => (half ? half.within(loss) : loss());
      const made =
        precision === 'float32' ? within() : autocast(device.split(':')[0] as 'hpu', within, { dtype: precision });
      made.backward();
    }
  };
  // Copies are made before anything is captured.
  torch.scope(pass);
  for (const module of modules) module.zeroGrad();
  if (!captured) torch.scope(pass);
  else {
    const graph = DeviceGraph.record(device, () => torch.scope(() => gradientsAside(device, pass, { narrow })));
    held.push(graph);
    graph.replay();
  }
  return new Map(named(modules).map(([name, { grad }]) => [name, grad]));
}

describe.runIf(isThere)('gradients aside', () => {
  beforeAll(() => expect(installKernels(device)).toMatchObject({ installed: true }));

  it.runIf(isMock).each(precisions)('are those of autograd: %s', (precision) => {
    const [aside, usual] = [gradients(precision, false, true), gradients(precision, false, false)];
    expect(aside.size).toBe(11);
    for (const [name, gradient] of usual) {
      if (!gradient) expect(aside.get(name), name).toBeNull();
      else {
        expect(aside.get(name)?.dtype).toBe('float32');
        expect(aside.get(name)?.strides).toEqual(gradient.strides);
        if (name.startsWith('1.')) expect(torch.allclose(aside.get(name) as Tensor, gradient, 1e-6, 1e-7)).toBe(true);
        else expect(aside.get(name)?.equal(gradient), name).toBe(true);
      }
    }
  });

  it.runIf(isMock)('stay in bfloat16 where kernels read them, with the same values', () => {
    const usual = gradients('bfloat16', true, false);
    for (const [kernels, dtype] of [
      [true, 'bfloat16'],
      [false, 'float32'],
    ] as const) {
      const run = () => gradients('bfloat16', true, true);
      const aside = kernels ? withKernels(run) : run();
      // Used twice: the sum is in float32.
      for (const [name, gradient] of usual) {
        if (!gradient) continue;
        expect(aside.get(name)?.dtype, name).toBe(name.startsWith('1.') ? 'float32' : dtype);
        expect(aside.get(name)?.to('float32').equal(gradient), name).toBe(true);
      }
    }
  });

  it('leave hooks, other derivatives and passes outside of it as they are', () => {
    const [layer, hooked] = [new nn.Conv2d(2, 3, 3), new nn.Conv2d(3, 2, 3)].map((conv) => conv.to({ device }));
    const x = keep(torch.randn([1, 2, 7, 7]).to({ device }));
    const seen: string[] = [];
    hooked?.weight.registerHook((gradient) => {
      seen.push(gradient.dtype);
    });
    const layers = [layer, hooked] as nn.Conv2d[];
    const pass = () => {
      const loss = layers
        .reduce((maps, conv) => conv.forward(maps), x)
        .pow(2)
        .sum();
      const slopes = torch.autograd.grad(
        loss,
        layers.map(({ bias }) => bias as Tensor),
        { createGraph: true },
      );
      for (const slope of slopes) (slope as Tensor).pow(2).sum().backward(undefined, { retainGraph: true });
      return slopes as Tensor[];
    };
    const results = (around: (body: () => Tensor[]) => Tensor[]) => {
      for (const conv of layers) conv.zeroGrad();
      const slopes = around(pass);
      return [...slopes, ...layers.flatMap(({ weight, bias }) => [weight.grad as Tensor, bias?.grad as Tensor])];
    };
    const aside = results((body) => gradientsAside(device, body, { narrow: true }));
    expect(seen).toEqual(['float32', 'float32']);
    const usual = results((body) => body());
    expect(aside).toHaveLength(6);
    for (const [i, tensor] of aside.entries()) expect(torch.allclose(tensor, usual[i] as Tensor, 1e-4)).toBe(true);
  });

  it.runIf(isMock)('are found where something uses them before they are there', () => {
    const layer = new nn.Conv2d(2, 3, 3).to({ device });
    const x = keep(torch.randn([1, 2, 5, 5]).to({ device }));
    const pass = () => {
      const maps = layer.forward(x);
      const gradient = torch.ones(maps.shape, { device });
      maps.backward(gradient);
      gradient.zero_();
    };
    const early = () =>
      DeviceGraph.record(device, () => torch.scope(() => gradientsAside(device, pass, { narrow: false }))).dispose();
    expect(early).toThrow(
      /two branches of a recording use the same memory: aten::convolution_backward and aten::zero_/,
    );
    // The error leaves nothing behind.
    layer.zeroGrad();
    layer.forward(x).sum().backward();
    expect(layer.weight.grad?.dtype).toBe('float32');
  });
});
