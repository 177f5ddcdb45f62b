import { expect, it } from 'vitest';
import { type DistillSetup, distill, models, openDataset, Teacher } from '../../src/index.js';
import torch from '../../src/torch.js';

const data = await openDataset('shapes:96?test=60');

/**
 * Tensors and their bytes at the end of each step but the first two, in which optimizers make their state and the
 * teacher its fast form.
 */
async function held(options: Partial<DistillSetup>) {
  torch.manualSeed(3);
  const teacher = Teacher.of(models.create('resnet14', { numClasses: data.classes.length }), 'resnet14');
  const setup = { student: 'resnet8', teacher, data, epochs: 2, batchSize: 12, lr: 1e-3, ...options };
  const found: string[] = [];
  for await (const event of distill(setup)) {
    if (event.type !== 'step' || event.step < 3) continue;
    const { tensors, bytes } = torch.memory();
    found.push(`${tensors} tensors, ${bytes} bytes`);
  }
  teacher.dispose();
  return found;
}

it.each<[string, Partial<DistillSetup>]>([
  ['SGD', {}],
  ['AdamW with averages', { optimizer: 'adamw', ema: 0.9 }],
  ['Lion in parts', { optimizer: 'lion', microBatch: 4 }],
  ['clipping and bfloat16', { clipNorm: 1, precision: 'bfloat16' }],
])('steps after the first take nothing that they do not give back: %s', async (_, options) => {
  const found = await held(options);
  expect(found).toHaveLength(14);
  expect(new Set(found).size).toBe(1);
});
