import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  analyzeRun,
  ConfigError,
  type DistillSetup,
  distill,
  distillTogether,
  loadStudent,
  openDataset,
  Teacher,
} from '../../src/index.js';
import torch from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-normalization-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const data = 'shapes:72?test=240';
const { mean, std } = await openDataset(data);
// A run whose images are normalized in a way in which the teacher knows nothing.
const other = { mean: [1, 0, 1], std: [0.004, 1, 0.004] };
const own = { teacherMean: [...mean], teacherStd: [...std] };
const common = { teacher, data, student: 'resnet8', epochs: 1, batchSize: 24, ...other, ...own };

async function started(options: Partial<DistillSetup>) {
  const run = distill({ teacher, data, student: 'resnet8', epochs: 1, dryRun: true, ...options });
  const notices: string[] = [];
  let accuracy: number | undefined;
  for await (const event of run) {
    if (event.type === 'start') accuracy = event.teacher?.top1;
    if (event.type === 'notice') notices.push(event.message);
  }
  return { accuracy: accuracy as number, notices: notices.join('\n') };
}

describe('a teacher that was trained with another normalization', () => {
  it('reaches its accuracy only where the run says with which; else the check before the first step names the flags', async () => {
    const usual = await started({});
    const wrong = await started(other);
    const right = await started({ ...other, ...own });
    expect(usual.accuracy).toBeGreaterThan(95);
    expect(wrong.accuracy).toBeLessThan(60);
    expect(wrong.notices).toMatch(/mean 1,0,1 and std 0\.004,1,0\.004: .*--teacher-mean and --teacher-std/);
    const misled = await started({ teacherMean: other.mean, teacherStd: other.std });
    expect(misled.notices).toMatch(/mean 1,0,1 and std 0\.004,1,0\.004: /);
    expect(right).toEqual({ accuracy: usual.accuracy, notices: '' });
  });

  it('sees exactly what it would see, up to rounding, and at its own size', async () => {
    const plain = await Teacher.load(teacher);
    const adapted = await Teacher.load(teacher, { mean, std, size: 32 });
    const pixels = torch.rand([4, 3, 32, 32]);
    const [m, s] = [mean, std].map((values) => torch.tensor([...values]).reshape([1, 3, 1, 1]));
    const expected = plain.forward(pixels.sub(m as typeof pixels).div(s as typeof pixels)).logits;
    expect(maxDifference(adapted.forward(pixels).logits, expected)).toBeLessThan(1e-4);
    const large = torch.rand([2, 3, 48, 48]);
    const small = torch._upsampleBilinear2dAa(large, [32, 32], false);
    expect(maxDifference(adapted.forward(large).logits, adapted.forward(small).logits)).toBeLessThan(1e-6);
    expect(new Set([plain.fingerprint(), adapted.fingerprint()]).size).toBe(2);
  });

  it('is written into the run, and resumed, evaluated and analyzed with it', async () => {
    const out = join(folder, 'run');
    const setup = { ...common, out };
    for await (const _ of distill(setup));
    expect(parse(readFileSync(join(out, 'config.yaml'), 'utf8'))).toMatchObject({ ...other, ...own });
    expect(loadStudent(out).card).toMatchObject(other);
    const record = await analyzeRun(out);
    expect(record.teacher.accuracy).toBeGreaterThan(0.95);
    for await (const _ of distill({ ...setup, epochs: 1, resume: true }));
    // The student as a teacher brings its own normalization along.
    const asTeacher = await Teacher.load(out);
    const student = loadStudent(out).student;
    const pixels = torch.rand([2, 3, 32, 32]);
    const [m, s] = [other.mean, other.std].map((values) => torch.tensor(values).reshape([1, 3, 1, 1]));
    const normalized = pixels.sub(m as typeof pixels).div(s as typeof pixels);
    expect(maxDifference(asTeacher.forward(pixels).logits, student.forward(normalized))).toBeLessThan(1e-4);
  });

  it('is shared by several students', async () => {
    const accuracies: (number | undefined)[] = [];
    for await (const event of distillTogether({ a: common, b: { ...common, seed: 1 } }))
      if (event.type === 'start') accuracies.push(event.teacher?.top1);
    expect(accuracies).toHaveLength(2);
    for (const accuracy of accuracies) expect(accuracy).toBeGreaterThan(95);
  });
});

describe('wrong numbers', () => {
  it.each([
    [
      'teacherMean',
      [0.5],
      /1 numbers; the images of shapes:72\?test=240 have 3 channels[\s\S]*--teacher-mean 0\.485,0\.456,0\.406/,
    ],
    ['teacherStd', [0.2, 0.2, 0], /above 0, as in 0\.229/],
    ['teacherMean', [123.7, 116.3, 103.5], /scale 0\.\.1[\s\S]*divide numbers of the scale 0\.\.255/],
    ['mean', [0.5, 0.5], /--mean 0\.5,0\.5 has 2 numbers/],
    ['std', [58, 57, 57], /scale 0\.\.1/],
    ['teacherSize', 0, /teacherSize|teacher-size/],
  ])('%s %j is refused with an example', async (name, value, message) => {
    await expect(started({ [name]: value })).rejects.toThrow(message as RegExp);
    await expect(started({ [name]: value })).rejects.toThrow(ConfigError);
  });

  it('and options of a teacher that is loaded already', async () => {
    await expect(started({ teacher: await Teacher.load(teacher), ...own })).rejects.toThrow(/Teacher\.load\(\)/);
  });
});
