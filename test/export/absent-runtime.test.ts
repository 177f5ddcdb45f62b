/** onnxruntime-node is optional: without it a file is still written, and says what it was compared with. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { models, saveStudent } from '../../src/index.js';
import torch from '../../src/torch.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-absent-'));
afterAll(() => rmSync(folder, { recursive: true }));

const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const hook = `export async function resolve(name, context, next) {
  if (name === 'onnxruntime-node')
    throw Object.assign(new Error('not installed'), { code: 'ERR_MODULE_NOT_FOUND' });
  return next(name, context);
}`;
const withoutRuntime = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`);

it('exports ONNX without onnxruntime-node, and says so', () => {
  torch.manualSeed(0);
  const student = join(folder, 'student.safetensors');
  const card = { model: 'resnet8', numClasses: 12, inChannels: 3, data: 'shapes:24?test=12', input: [3, 32, 32] };
  saveStudent(student, models.create('resnet8', { numClasses: 12 }), card);
  const file = join(folder, 'student.onnx');
  const { status, stdout, stderr } = srrl(['export', student, '--out', file, '--images', '8', '--json'], {
    NODE_OPTIONS: `--import=${withoutRuntime}`,
  });
  expect(status, stderr).toBe(0);
  expect(existsSync(file)).toBe(true);
  expect(stderr).toMatch(/onnxruntime-node is not installed.*npm install onnxruntime-node/);
  const { card: written, verification } = JSON.parse(stdout);
  expect(verification.runtime).toMatch(/^libtorch/);
  expect(written.verified.missing).toMatch(/onnxruntime-node is not installed/);
});
