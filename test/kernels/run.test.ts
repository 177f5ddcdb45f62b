/** Runs with own kernels: captured as step by step, and with libtorch's operators up to rounding. */
import { describe, expect, it } from 'vitest';
import { type DistillSetup, distill, models, openDataset, Teacher, type TrainEvent } from '../../src/index.js';
import { native } from '../../src/native.js';
import torch from '../../src/torch.js';
import { addDevice, device, emulateKernels, isMock, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();

const data = await openDataset('shapes:24?test=6');
torch.manualSeed(3);
const teacher = Teacher.of(models.create('resnet8', { numClasses: 12 }).to({ device }), 'resnet8');
const common = { student: 'resnet8', teacher, data, batchSize: 4, lr: 0.01, epochs: 2, device } as const;

async function losses(options: Partial<DistillSetup>): Promise<{ losses: number[]; notices: string[] }> {
  const events: TrainEvent[] = [];
  for await (const event of distill({ ...common, deterministic: true, ...options })) events.push(event);
  return {
    losses: events.flatMap((event) => (event.type === 'epoch' ? [event.loss] : [])),
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])),
  };
}

describe.skipIf(!isThere).each(['float32', 'bfloat16'] as const)('a run in %s', (precision) => {
  it('is the same captured and step by step, and close to one with plain operators', async () => {
    const captured = await losses({ precision });
    const single = await losses({ precision, recordSteps: false });
    const plain = await losses({ precision, kernels: 'plain' });
    expect(captured.losses).toHaveLength(2);
    if (isMock) expect(captured).toEqual(single);
    expect(captured.losses).not.toEqual(plain.losses);
    for (const [i, loss] of plain.losses.entries())
      expect(Math.abs((captured.losses[i] as number) - loss) / loss).toBeLessThan(
        precision === 'float32' ? 1e-3 : 5e-2,
      );
    expect(captured.notices).toEqual(plain.notices);
  });
});

describe.skipIf(!isThere)('kernels that were used', () => {
  it('agree with plain operators', () => {
    const verdicts = native().kernelVerdicts();
    expect(verdicts.length).toBeGreaterThan(4);
    expect(verdicts.filter(({ obstacle }) => obstacle !== '')).toEqual([]);
  });
});
