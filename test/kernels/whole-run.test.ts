/** Runs with own kernels: captured steps are those one by one, and both are nearly those of libtorch's operators. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type DistillSetup,
  distill,
  distillTogether,
  type Features,
  type Method,
  models,
  openDataset,
  Teacher,
  type TrainEvent,
} from '../../src/index.js';
import { native } from '../../src/native.js';
import { DeviceGraph, refusedKernels } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { addDevice, device, emulateKernels, isMock, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();
afterEach(() => vi.restoreAllMocks());

const data = await openDataset('shapes:12?test=4');
torch.manualSeed(3);
const teacher = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');

/** NaN for a batch with image 7, which one step of an epoch has. */
const sometimes = {
  name: 'sometimes',
  options: {},
  setUp: () => ({
    modules: {},
    terms: ({ student, labels, indices }: { student: Features; labels: Tensor; indices: Tensor }) => {
      const bad = indices.eq(7).any().to('float32');
      return { loss: { weight: 1, value: nn.functional.crossEntropy(student.logits, labels).div(bad.rsub(1)) } };
    },
  }),
} as unknown as Method;

async function run(options: Partial<DistillSetup>) {
  const list: TrainEvent[] = [];
  const common = { student: 'resnet8', teacher, data, batchSize: 4, lr: 0.01, device, deterministic: true, epochs: 2 };
  for await (const event of distill({ method: 'srrl', ...common, ...options } as DistillSetup)) list.push(event);
  const epochs = list.flatMap((event) => {
    if (event.type !== 'epoch') return [];
    const { seconds: _seconds, imagesPerSecond: _speed, ...rest } = event;
    return [rest];
  });
  const notices = list.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { epochs, notices: notices.filter((message) => /NaN|operators/.test(message)) };
}

const cases: [string, Partial<DistillSetup>][] = [
  ['SGD, averages and clipping', { ema: 0.9, clipNorm: 0.5, nesterov: true }],
  ['parts and half precision', { precision: 'bfloat16', microBatch: 2, ema: 0.9 }],
  ['a scaler', { precision: 'float16', clipNorm: 1 }],
  ['AdamW', { optimizer: 'adamw', lr: 1e-3, ema: 0.9, clipNorm: 0.5 }],
  ['NaN', { method: sometimes, onNonFinite: 'skip', ema: 0.9 }],
];

describe.runIf(isThere)('a run with own kernels', () => {
  it.each(cases)('is the same captured and step by step, and close to plain operators: %s', async (name, options) => {
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    const captured = await run(options);
    expect(replay.mock.calls.length).toBeGreaterThan(1);
    const alone = await run({ ...options, recordSteps: false });
    expect(captured.notices).toEqual(alone.notices);
    expect(alone.notices).toHaveLength(name === 'NaN' ? 2 : 0);
    if (isMock) expect(captured.epochs).toEqual(alone.epochs);
    const plain = await run({ ...options, kernels: 'plain' });
    for (const [i, { loss }] of plain.epochs.entries())
      expect(Math.abs((captured.epochs[i]?.loss as number) - loss)).toBeLessThan(0.01 * loss);
  });

  it('uses all of them', () => {
    expect(refusedKernels(device)).toEqual([]);
    const kinds = native()
      .kernelVerdicts()
      .map(({ kind }) => kind);
    for (const kind of ['step_copy', 'step_judge', 'step_magnitudes', 'step_means', 'update_adam', 'update_sgd'])
      expect(kinds).toContain(kind);
  });
});

describe.runIf(isThere)('students in one graph', () => {
  it('use them in steps that are captured as in those one by one', async () => {
    const students = async (recordSteps: boolean) => {
      const losses: unknown[] = [];
      const common = { teacher, data, batchSize: 4, lr: 0.01, device, deterministic: true, epochs: 2, recordSteps };
      const own = { a: { student: 'resnet8', seed: 1 }, b: { student: 'resnet8', seed: 2, method: 'kd' } } as const;
      const setups = Object.fromEntries(Object.entries(own).map(([name, setup]) => [name, { ...common, ...setup }]));
      const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
      for await (const event of distillTogether(setups))
        if (event.type === 'epoch') losses.push([event.student, event.epoch, event.loss]);
      return { losses, replays: replay.mock.calls.length };
    };
    const [captured, alone] = [await students(true), await students(false)];
    expect(captured.replays).toBeGreaterThan(1);
    expect(captured.losses).toHaveLength(4);
    if (isMock) expect(captured.losses).toEqual(alone.losses);
  });
});
