import { describe, expect, it } from 'vitest';
import { type DistillSetup, distill, models, openDataset, Teacher, type TrainEvent } from '../../src/index.js';
import torch, { nn } from '../../src/torch.js';
import { device, isThere } from '../helpers/device.js';

/** What only a GPU has: half precision that are fast, and an allocator that counts. */
describe.runIf(isThere)('training on a GPU', () => {
  const setup = async (options: Partial<DistillSetup> = {}): Promise<DistillSetup> => {
    const data = await openDataset('shapes:96');
    torch.manualSeed(3);
    const network = models.create('resnet14', { numClasses: data.classes.length }).train();
    torch.noGrad(() => torch.scope(() => void network.forward(torch.randn([32, 3, 32, 32]))));
    const teacher = Teacher.of(network.to({ device }), 'resnet14');
    return { student: 'resnet8', teacher, data, epochs: 3, batchSize: 16, lr: 0.01, device, ...options };
  };
  const losses = async (options: Partial<DistillSetup>) => {
    const found: number[] = [];
    for await (const event of distill(await setup(options)) as AsyncIterable<TrainEvent>) {
      if (event.type === 'epoch') found.push(event.loss);
      if (event.type === 'notice') expect(event.message).not.toContain('captured');
    }
    return found;
  };

  it('in bfloat16 is that in float32 but for rounding', async () => {
    const [narrow, wide] = [await losses({ precision: 'bfloat16' }), await losses({})];
    expect(narrow).toHaveLength(3);
    for (const [epoch, loss] of wide.entries())
      expect(Math.abs((narrow[epoch] as number) - loss)).toBeLessThan(0.05 * loss);
  });

  it('in float16 goes through the scaler', async () => {
    for (const loss of await losses({ precision: 'float16' })) expect(Number.isFinite(loss)).toBe(true);
  });

  it('takes no more memory from one run to the next, recorded or not', async () => {
    for (const recordSteps of [true, false]) {
      await losses({ recordSteps });
      torch.synchronize();
      const before = torch.deviceMemory(device).allocated;
      torch.resetPeakMemory(device);
      await losses({ recordSteps });
      torch.synchronize();
      const after = torch.deviceMemory(device);
      // Teachers that a test made are the garbage collector's.
      expect(after.allocated - before).toBeLessThan(8 * 2 ** 20);
      expect(after.peakAllocated).toBeGreaterThan(before);
    }
  });

  it('normalization and ReLU are those of the CPU', () => {
    const norm = new nn.BatchNorm2d(32).train();
    const x = torch.randn([8, 32, 9, 9]).contiguous({ memoryFormat: 'channelsLast' });
    const expected = norm.forwardRelu(x, x);
    const there = new nn.BatchNorm2d(32).to({ device }).train();
    const on = x.to({ device });
    const actual = there.forwardRelu(on, on).to({ device: 'cpu' });
    expect(actual.allclose(expected, 1e-4, 1e-5)).toBe(true);
    expect(there.running_var.to({ device: 'cpu' }).allclose(norm.running_var, 1e-4, 1e-5)).toBe(true);
  });
});
