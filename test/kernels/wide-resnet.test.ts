/** Wide ResNets, whose blocks share sums with normalizations on devices, against the CPU. */
import { describe, expect, it } from 'vitest';
import { models } from '../../src/index.js';
import { native } from '../../src/native.js';
import {
  FrozenGraph,
  installKernels,
  manualSeed,
  refusedKernels,
  type Tensor,
  functions as torch,
  withKernels,
} from '../../src/tensor/index.js';
import { addDevice, device, emulateKernels, isMock, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

function results(on: string): Record<string, Tensor> {
  manualSeed(5);
  const model = models.create('wrn_10_1', { numClasses: 7 });
  const images = torch.randn([4, 3, 16, 16]);
  model.to({ device: on, memoryFormat: 'channelsLast' });
  const input = images.to({ device: on, memoryFormat: 'channelsLast' });
  const { logits, map, stages } = model.forwardFeatures(input);
  const sums = stages.map((stage) => stage.pow(2).mean());
  sums.reduce((all, one) => all.add(one), logits.pow(2).mean()).backward();
  const found: Record<string, Tensor> = { logits, map: map as Tensor };
  for (const [i, stage] of stages.entries()) found[`stages.${i}`] = stage;
  for (const [name, parameter] of model.namedParameters()) found[`gradient of ${name}`] = parameter.grad as Tensor;
  for (const [name, buffer] of model.namedBuffers()) found[name] = buffer;
  return Object.fromEntries(Object.entries(found).map(([name, x]) => [name, x.detach().to({ device: 'cpu' })]));
}

const apart = (actual: Tensor, expected: Tensor) =>
  Number(actual.sub(expected).to('float64').norm().item()) / Number(expected.to('float64').norm().item());

describe.skipIf(!isThere)('a wide ResNet in training', () => {
  const expected = results('cpu');

  it.runIf(isMock)('computes on a device without kernels what the CPU computes', () => {
    const actual = results(device);
    for (const [name, x] of Object.entries(expected)) expect(apart(actual[name] as Tensor, x), name).toBeLessThan(1e-5);
  });

  it('computes the same with kernels', () => {
    expect(installKernels(device)).toMatchObject({ installed: true });
    const actual = withKernels(() => results(device));
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, x] of Object.entries(expected)) expect(apart(actual[name] as Tensor, x), name).toBeLessThan(1e-4);
  });
});

describe.skipIf(!isThere)('a frozen wide ResNet', () => {
  it.each(['float32', 'bfloat16'] as const)('normalizes with its ReLU in one launch: %s', (precision) => {
    expect(installKernels(device)).toMatchObject({ installed: true });
    manualSeed(6);
    const model = models.create('wrn_10_1', { numClasses: 7 });
    for (const [name, buffer] of model.namedBuffers()) {
      const [from, to] = name.endsWith('var') ? [0.1, 0.5] : [-0.2, 0.2];
      if (buffer.dtype === 'float32') buffer.uniform_({ from, to });
    }
    model.eval().requiresGrad_(false).to({ device });
    const images = torch.randn([4, 3, 16, 16]).to({ device, memoryFormat: 'channelsLast' });
    const traced = FrozenGraph.trace(images, (batch) => [model.forward(batch)]);
    const graph = precision === 'float32' ? traced.folded() : traced.narrowed(precision);
    const cpu = (x: Tensor) => x.to({ device: 'cpu' }).to('float32');
    const launches = () => withKernels(() => graph.run(images) as [Tensor])[0];
    const [ours, plain, exact] = [cpu(launches()), cpu((graph.run(images) as [Tensor])[0]), cpu(model.forward(images))];
    const kinds = native()
      .kernelVerdicts()
      .filter(({ kind }) => kind.startsWith('norm_frozen'));
    expect(kinds.length).toBeGreaterThan(0);
    expect(refusedKernels(device)).toEqual([]);
    const [near, far] = precision === 'float32' ? [1e-5, 1e-4] : [0.02, 0.03];
    expect(apart(ours, plain)).toBeLessThan(near);
    expect(apart(ours, exact)).toBeLessThan(far);
    for (const holder of [graph, traced, model]) holder.dispose();
  });
});
