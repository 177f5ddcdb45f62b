/** On a device, convolutions of a frozen teacher take addition, bias and ReLU along, as cuDNN's kernels do. */
import { describe, expect, it } from 'vitest';
import type { FastForm } from '../../src/distill/teacher-base.js';
import { models, Teacher } from '../../src/index.js';
import { native } from '../../src/native.js';
import { autocast, type Event, FrozenGraph, refusedKernels, scope } from '../../src/tensor/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();
torch.manualSeed(0);
const kind = device.replace(/:.*/, '');
const on = (x: Tensor) => x.to({ device, memoryFormat: 'channelsLast' });

const count = (text: string, name: string) => text.split(`${name}(`).length - 1;
const used = () =>
  native()
    .kernelVerdicts()
    .filter((verdict) => /ReLU/.test(verdict.kind));
const largest = (x: Tensor) => Number(x.to('float32').abs().max().item());

/** A network whose statistics are not those of a fresh one. */
function trained(name: string, size: number): Teacher {
  const network = models.create(name, { numClasses: 7 }).train();
  torch.noGrad(() => scope(() => void network.forward(torch.randn([8, 3, size, size]))));
  return Teacher.of(network.to({ device }), name);
}

describe.skipIf(!isThere)('a teacher on a device', () => {
  it.each([
    ['resnet14', 32],
    ['wrn_16_1', 32],
    ['vgg8', 32],
    ['resnet18', 64],
    ['MobileNetV2', 32],
  ] as const)('returns with fused kernels what it returns without: %s', (name, size) => {
    const teacher = trained(name, size);
    const images = on(torch.randn([3, 3, size, size]));
    const exact = torch.noGrad(() => teacher.forward(images));
    for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
      const within = <T>(body: () => T): T =>
        torch.noGrad(() => (precision === 'float32' ? body() : autocast(kind, body, { dtype: precision })));
      const fast = within(() => teacher.accelerated(images, precision)) as FastForm;
      expect(fast).toBeDefined();
      const tolerance = { float32: 1e-4, bfloat16: 0.05, float16: 0.01 }[precision];
      // The executor of graphs finds its own form in the first runs.
      for (let run = 0; run < 3; run++) {
        const { logits, stages } = within(() => fast.forward(images));
        for (const [i, ours] of [logits, ...stages].entries()) {
          const wanted = [exact.logits, ...exact.stages][i] as Tensor;
          expect(largest(ours.to('float32').sub(wanted))).toBeLessThan(tolerance * largest(wanted));
        }
      }
      fast.dispose();
    }
    teacher.dispose();
    expect(refusedKernels(device)).toEqual([]);
    expect(used().length).toBeGreaterThan(0);
  });

  it.each([
    // A stem, two convolutions in each of six blocks, and the shortcuts of two stages, whose bias goes elsewhere.
    ['resnet14', 32, 13, 2, 0],
    // The first normalization of each block but two follows a sum that is used as well.
    ['wrn_16_2', 32, 7, 9, 6],
    ['resnet18', 64, 17, 3, 0],
  ] as const)('of the kind %s has a kernel for each convolution', (name, size, fused, plain, norms) => {
    const network = models.create(name, { numClasses: 7 }).eval().requiresGrad_(false).to({ device });
    const images = on(torch.randn([2, 3, size, size]));
    const traced = FrozenGraph.trace(images, (batch) => [network.forward(batch)]);
    for (const graph of [traced.folded(), traced.narrowed('bfloat16')]) {
      const text = graph.toString();
      expect(count(text, 'srrl::conv_relu')).toBe(fused);
      expect(count(text, 'aten::_convolution')).toBe(plain);
      expect(count(text, 'srrl::norm_frozen') + count(text, 'srrl::norm_frozen_sum')).toBe(norms);
      expect(count(text, 'aten::relu') + count(text, 'aten::relu_') + count(text, 'aten::batch_norm')).toBe(0);
      // No bias is left that would be added by a kernel of its own.
      for (const [, bias] of text.matchAll(/aten::_convolution\(%\w+, %\w+, (%\w+),/g))
        expect(text).toContain(`${bias} : NoneType = prim::Constant()`);
      expect(count(text, 'srrl::max_pool2d')).toBe(name === 'resnet18' ? 1 : 0);
      graph.dispose();
    }
    traced.dispose();
    network.dispose();
  });
});

describe.skipIf(!isThere)('convolutions', () => {
  const weight = on(torch.randn([8, 8, 3, 3]));
  const other = on(torch.randn([8, 8, 1, 1]));
  const bias = torch.randn([8]).to({ device });
  const row = torch.randn([1, 8, 1, 1]).to({ device });
  const conv = (x: Tensor, stride = 1, dilation = 1) => torch.conv2d(x, weight, bias, stride, 1, dilation);
  const twice = (x: Tensor) => torch.relu(x).add(x);

  it.each<[string, number, (x: Tensor) => Tensor]>([
    ['with a ReLU in place', 1, (x) => conv(x).relu_()],
    ['with an addition in place', 1, (x) => conv(x).add_(x).relu_()],
    ['of another stride and dilation', 1, (x) => conv(x, 2, 2).relu()],
    ['added to one of 1x1', 1, (x) => torch.relu(torch.conv2d(x, other, bias).add(conv(x)))],
    [
      'added to another that is used again',
      1,
      (x) => {
        const shortcut = torch.conv2d(x, other, bias);
        return torch.relu(conv(x).add(shortcut)).mul(shortcut);
      },
    ],
    ['with an addition that spreads a row', 1, (x) => conv(x).add(row).relu()],
    ['in groups', 0, (x) => torch.conv2d(x, weight.narrow(1, 0, 4), bias, 1, 1, 1, 2).relu()],
    ['whose output is used as well', 0, (x) => twice(conv(x))],
    ['with half of what is added', 0, (x) => conv(x).add(x, { alpha: 0.5 }).relu()],
    [
      'whose input changes before the ReLU',
      1,
      (x) => {
        const own = x.mul(2);
        const made = conv(own);
        own.mul_(3);
        return made.relu().add(own);
      },
    ],
  ])('%s: %i fused', (_name, fused, forward) => {
    const images = on(torch.randn([2, 8, 9, 7]));
    const traced = FrozenGraph.trace(images, (batch) => [forward(batch)]);
    const graph = traced.folded();
    expect(count(graph.toString(), 'srrl::conv_relu')).toBe(fused);
    const wanted = forward(images);
    for (let run = 0; run < 3; run++) {
      const [ours] = graph.run(images) as [Tensor];
      expect(largest(ours.sub(wanted))).toBeLessThan((isMock ? 1e-5 : 1e-2) * largest(wanted));
    }
    graph.dispose();
    traced.dispose();
  });

  it.runIf(isMock)("are libtorch's own where cuDNN refuses them, which is known from then on", () => {
    const images = on(torch.randn([2, 8, 9, 7]));
    const graph = FrozenGraph.trace(images, (batch) => [conv(batch, 1, 3).relu()]).folded();
    expect(count(graph.toString(), 'srrl::conv_relu')).toBe(1);
    for (let run = 0; run < 2; run++) {
      const [ours] = graph.run(images) as [Tensor];
      expect(largest(ours.sub(conv(images, 1, 3).relu()))).toBeLessThan(1e-4);
    }
    expect(refusedKernels(device)).toEqual([
      {
        device,
        kind: expect.stringMatching(/^convolution \+ ReLU \(Float/),
        obstacle: 'no engine for a dilation of 3',
      },
    ]);
    graph.dispose();
  });

  it.runIf(isMock)("are libtorch's own where those are faster, without a notice", () => {
    const before = refusedKernels(device);
    const images = on(torch.randn([2, 8, 9, 7]));
    const microsecondsOf = (dilation: number) => {
      const graph = FrozenGraph.trace(images, (batch) => [conv(batch, 1, dilation).relu()]).folded();
      expect(count(graph.toString(), 'srrl::conv_relu')).toBe(1);
      graph.run(images);
      const [begin, end] = [0, 1].map(() => new torch.Event({ device, enableTiming: true })) as [Event, Event];
      begin.record();
      graph.run(images);
      end.record();
      graph.dispose();
      return Math.round(1000 * begin.elapsedTime(end));
    };
    // The mock device takes 100 for the fused kernel of the second one.
    expect(microsecondsOf(1)).toBeLessThan(10);
    expect(microsecondsOf(2)).toBeLessThan(10);
    expect(refusedKernels(device)).toEqual(before);
  });

  it("are libtorch's own where a deterministic algorithm is asked for", () => {
    const before = used().length;
    const images = on(torch.randn([2, 8, 5, 5]));
    const graph = FrozenGraph.trace(images, (batch) => [conv(batch).relu()]).folded();
    torch.backends.cudnn.deterministic = true;
    const [ours] = graph.run(images) as [Tensor];
    torch.backends.cudnn.deterministic = false;
    expect(used()).toHaveLength(before);
    expect(largest(ours.sub(conv(images).relu()))).toBeLessThan(1e-2);
    graph.dispose();
  });
});
