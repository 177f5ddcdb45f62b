import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileError, type PackageTeacher, Teacher, TeacherError } from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';
import { maxDifference } from '../helpers/compare.js';
import { ramp } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-package-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'net.pt2');

it('a file that is not a package is refused', async () => {
  await expect(Teacher.load(join(folder, 'nothing.pt2'))).rejects.toThrow(/does not exist/);
  const text = join(folder, 'text.pt2');
  writeFileSync(text, 'hello');
  await expect(Teacher.load(text)).rejects.toThrow(FileError);
  await expect(Teacher.load(text)).rejects.toThrow(/no AOTInductor package/);
});

// Compiling takes Python, a compiler and a minute.
describe.skipIf(!process.env.SRRL_PYTHON)('a teacher from an AOTInductor package', () => {
  let expected: { logits: number[][]; feature: number[][] };
  beforeAll(() => {
    const script = join(packageRoot, 'test/fixtures/make/package.py');
    const { status, stderr } = spawnSync(process.env.SRRL_PYTHON as string, [script, folder], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    expected = JSON.parse(readFileSync(join(folder, 'net.json'), 'utf8'));
  }, 300_000);
  const images = ramp([4, 3, 16, 16]).to('float32');

  it('gives feature and logits, for any number of images in any layout', async () => {
    const teacher = await Teacher.load(file, { tap: 'fc' });
    expect([teacher.numClasses, teacher.featureChannels, teacher.classifierName]).toEqual([10, 12, 'fc']);
    for (const layout of ['contiguous', 'channelsLast'] as const) {
      const { logits, pooled } = teacher.forward(images.contiguous({ memoryFormat: layout }));
      expect(maxDifference(logits, torch.tensor(expected.logits))).toBeLessThan(1e-5);
      expect(maxDifference(pooled, torch.tensor(expected.feature))).toBeLessThan(1e-5);
      expect(maxDifference(teacher.classify(pooled), logits)).toBeLessThan(1e-5);
    }
    expect(teacher.forward(images.narrow(0, 0, 3)).logits.shape).toEqual([3, 10]);
    expect(() => teacher.check(images)).not.toThrow();
    teacher.dispose();
  });

  it('needs to know its classifier, and says what there is', async () => {
    await expect(Teacher.load(file)).rejects.toThrow(/2 linear layers \((hidden, fc|fc, hidden)\)[\s\S]*--tap/);
    await expect(Teacher.load(file, { tap: 'fcc' })).rejects.toThrow(/Did you mean fc/);
    const wrong = (await Teacher.load(file, { tap: 'hidden' })) as PackageTeacher;
    expect(() => wrong.forward(images)).toThrow(TeacherError);
    expect(() => wrong.forward(images)).toThrow(/\[4, 10\], \[4, 12\], not logits \[N, 12\]/);
    wrong.dispose();
  });
});
