/** What was exported is a student again: loadClassifier and loadStudent read its card. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportStudent, loadClassifier, loadStudent, models, type Prediction, saveStudent } from '../../src/index.js';
import torch from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-exported-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = join(folder, 'student.safetensors');
const data = Uint8Array.from({ length: 40 * 50 * 3 }, (_, i) => (i * 7919) % 251);
const image = { data, width: 50, height: 40, channels: 3 } as const;
let wanted: Prediction[];

async function predictions(file: string): Promise<Prediction[]> {
  await using classify = await loadClassifier(file, { topK: 3 });
  return await classify(image);
}

beforeAll(async () => {
  torch.manualSeed(2);
  saveStudent(source, models.create('resnet8', { numClasses: 3 }), {
    model: 'resnet8',
    numClasses: 3,
    inChannels: 3,
    data: 'folder:/somewhere/pets',
    input: [3, 32, 32],
    classes: ['ant', 'bee', 'cat'],
    preprocessing: { resize: [36, 36], crop: [32, 32], mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3] },
    command: 'srrl distill --data folder:/somewhere/pets',
    version: '0.1.0',
  });
  wanted = await predictions(source);
});

it.each([
  ['student.torchscript.pt', {}, 5],
  ['half.torchscript.pt', { half: true }, 2],
  ['weights.safetensors', {}, 5],
  ['hub/', {}, 5],
])('%s predicts as the student did', async (name, options, digits) => {
  const file = join(folder, name);
  await exportStudent(source, file, { images: 2, ...options });
  const found = await predictions(file);
  expect(found.map(({ label }) => label)).toEqual(wanted.map(({ label }) => label));
  for (const [i, { probability }] of found.entries())
    expect(probability).toBeCloseTo(wanted[i]?.probability as number, digits);
});

it('says nothing of the machine, and what it is', async () => {
  const file = join(folder, 'weights.safetensors');
  await exportStudent(source, file);
  const { card } = loadStudent(file);
  expect(card).toMatchObject({ model: 'resnet8', data: 'folder:pets', version: '0.1.0', precision: 'float32' });
  expect(card.command).toBeUndefined();
});

it('refuses a file that normalizes images itself', async () => {
  const file = join(folder, 'whole.torchscript.pt');
  await exportStudent(source, file, { images: 2, withPreprocessing: true });
  await expect(loadClassifier(file)).rejects.toThrow(/without --with-preprocessing/);
});
