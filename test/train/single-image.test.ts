import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { takeSamples } from '../../src/data/hold-out.js';
import { partsOf, shareOf } from '../../src/data/ranks.js';
import {
  type DistillSetup,
  distill,
  evaluate,
  Loader,
  loadStudent,
  models,
  openDataset,
  train,
} from '../../src/index.js';
import torch from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-single-'));
afterAll(() => rmSync(folder, { recursive: true }));

const base: Omit<DistillSetup, 'data'> = {
  teacher: 'assets/shapes-teacher.pt',
  student: 'resnet8',
  epochs: 1,
  method: 'srrl:connector=pooled',
};

/** Shapes with a test split of two images a class, so that measuring takes no time. */
async function shapes(count: number) {
  const data = await openDataset(`shapes:${count}?test=60`);
  return {
    ...data,
    test: takeSamples(
      data.test,
      Array.from({ length: 24 }, (_, i) => i),
    ),
  };
}

async function messagesOf(run: AsyncIterable<{ type: string; message?: string }>): Promise<string[]> {
  const messages: string[] = [];
  for await (const event of run) if (event.type === 'notice') messages.push(event.message ?? '');
  return messages;
}

describe('a single image that is left over', () => {
  it('never is a batch or a part, and no image is lost or seen twice, whatever the sizes', () => {
    for (let count = 2; count < 60; count++)
      for (let size = 2; size < 20; size++) {
        const share = shareOf({ count, batchSize: size, smallest: 2 }, {});
        const batches = Array.from({ length: share.steps }, (_, step) => share.samples((i) => i, step));
        expect(batches.flat()).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(Math.min(...batches.map(({ length }) => length))).toBeGreaterThan(1);
        const parts = partsOf(count, size);
        expect(parts.reduce((end, [begin, length]) => (begin === end ? end + length : Number.NaN), 0)).toBe(count);
        expect(Math.min(...parts.map(([, length]) => length))).toBeGreaterThan(1);
      }
  });

  it('goes with the batch before, which a run says once, and the student that is saved is whole', async () => {
    const out = join(folder, 'merged');
    const setup = { ...base, data: await shapes(25), batchSize: 8, microBatch: 4, epochs: 2, out };
    const messages = await messagesOf(distill(setup));
    expect(messages.filter((text) => text.includes('has 9 images'))).toHaveLength(1);
    expect(messages.filter((text) => text.includes('which then has 5'))).toHaveLength(1);
    for (const [name, buffer] of loadStudent(out).student.namedBuffers())
      expect([name, buffer.isfinite().all().item()]).toEqual([name, true]);
  });

  it('is refused before the first step where the network cannot be trained on it', async () => {
    for (const sizes of [{ batchSize: 1 }, { batchSize: 8, microBatch: 1 }])
      await expect(messagesOf(distill({ ...base, data: await shapes(24), ...sizes }))).rejects.toThrow(
        /cannot be trained on one image at a time[\s\S]*--batch-size/,
      );
    // Maps of more than one position have a variance over one image.
    expect(await messagesOf(train({ student: 'resnet8', data: await shapes(12), epochs: 1, batchSize: 1 }))).toEqual(
      [],
    );
  });
});

describe('NaN and Inf', () => {
  it('is not saved where the last update made it, and is named', async () => {
    const out = join(folder, 'update');
    const run = messagesOf(
      train({ student: 'resnet8', data: await shapes(24), epochs: 1, batchSize: 24, lr: 1e38, out }),
    );
    await expect(run).rejects.toMatchObject({
      code: 'ERR_DIVERGED',
      message: expect.stringMatching(/step 1, .*student/),
    });
    expect(existsSync(join(out, 'student.safetensors'))).toBe(false);
    expect(readdirSync(out).filter((file) => file.startsWith('checkpoint'))).toEqual([]);
  });

  it('is found in the weights that a student begins with, and counts as wrong', async () => {
    const data = await shapes(24);
    const student = models.create('resnet8', { numClasses: 12, inChannels: 3 });
    torch.noGrad(() => [...student.namedBuffers()][1]?.[1].fill_(Number.NaN));
    await expect(messagesOf(train({ student, data, epochs: 1 }))).rejects.toThrow(/running_var holds NaN or Inf/);
    const accuracy = await evaluate(
      (images) => torch.full([images.shape[0] as number, 12], Number.NaN),
      new Loader(data, 'test', { batchSize: 200 }),
    );
    expect(accuracy).toMatchObject({ top1: 0, top5: 0, nonFinite: accuracy.count });
  });
});
