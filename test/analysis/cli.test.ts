import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AnalysisRecord,
  analyzeRun,
  ConfigError,
  distill,
  models,
  openDataset,
  Teacher,
} from '../../src/index.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-analyze-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const distilled = join(folder, 'distilled');
const plain = join(folder, 'plain');

beforeAll(() => {
  const options = ['--data', 'shapes:120?test=60', '--student', 'resnet8', '--epochs', '1', '--json'];
  const held = ['--validation', '0.2'];
  expect(srrl(['distill', '--teacher', teacher, ...options, ...held, '--out', distilled]).status).toBe(0);
  expect(srrl(['train', ...options, '--out', plain]).status).toBe(0);
}, 120_000);

const read = (text: string) => JSON.parse(text) as AnalysisRecord & { run: string; model: string };

describe('srrl analyze', () => {
  it('finds data and teacher by the run, agrees with eval, and leaves its result in the folder', () => {
    const { status, stdout, stderr } = srrl(['analyze', distilled, '--json']);
    expect([status, stderr]).toEqual([0, '']);
    const record = read(stdout);
    expect(record).toMatchObject({ run: distilled, model: 'resnet8', data: 'shapes:120?test=60', split: 'test' });
    expect(record.classes).toHaveLength(12);
    expect(record.overall.count).toBe(60);
    expect(record.teacher.accuracy).toBeGreaterThan(0.9);
    const { top1 } = JSON.parse(srrl(['eval', distilled, '--json']).stdout) as { top1: number };
    expect(100 * record.student.accuracy).toBeCloseTo(top1, 9);
    const { examples, ...numbers } = read(readFileSync(join(distilled, 'analysis.json'), 'utf8'));
    expect(numbers).toEqual(record);
    expect(examples.length).toBeGreaterThan(0);
    for (const { label, student } of examples) {
      expect(record.student.confusion[label]?.[student.predicted]).toBeGreaterThan(0);
    }
    expect(srrl(['report', distilled]).status).toBe(0);
    const page = readFileSync(join(distilled, 'report.html'), 'utf8');
    for (const { image } of examples) expect(page).toContain(`<img src="${image}"`);
  });

  it('shows tables to people', () => {
    const { status, stdout } = srrl(['analyze', distilled, '--split', 'train', '--out', 'train.json']);
    expect(status).toBe(0);
    for (const text of ['96 train images', 'linear CKA', 'calibration error', '5 worst classes', '5 best classes'])
      expect(stdout).toContain(text);
    expect(read(readFileSync(join(distilled, 'train.json'), 'utf8')).overall.count).toBe(96);
  });

  it('looks at the images that the run held out, and says where it held out none', async () => {
    const { stdout } = srrl(['analyze', distilled, '--split', 'validation', '--out', 'validation.json', '--json']);
    const { split, overall, student } = read(stdout);
    expect([split, overall.count]).toEqual(['validation', 24]);
    const events = readFileSync(join(distilled, 'events.jsonl'), 'utf8').trim().split('\n');
    const [epoch] = events.map((line) => JSON.parse(line)).filter(({ type }) => type === 'epoch');
    expect(100 * student.accuracy).toBeCloseTo(epoch.validation.top1, 9);
    const { status, stderr } = srrl(['analyze', plain, '--teacher', teacher, '--split', 'validation']);
    expect(stderr).toMatch(/held out no images.*--split test or train/);
    expect(status).not.toBe(0);
  });

  it('says how to name a teacher that was an object, and takes one that is an object again', async () => {
    const out = join(folder, 'object');
    const own = Teacher.of(models.create('resnet8', { numClasses: 12 }));
    const run = distill({
      data: await openDataset('shapes:24?test=60'),
      teacher: own,
      student: 'resnet8',
      epochs: 1,
      out,
    });
    for await (const _event of run);
    await expect(analyzeRun(out)).rejects.toThrow(ConfigError);
    await expect(analyzeRun(out)).rejects.toThrow(/'.*' *, cannot be loaded again.*\n.*--teacher FILE/);
    expect(existsSync(join(out, 'analysis.json'))).toBe(false);
    const record = await analyzeRun(out, { teacher: own, split: 'train' });
    expect(record).toMatchObject({ run: out, split: 'train', teacherFile: own.source, overall: { count: 24 } });
    // It is still the caller's.
    expect(own.weight.shape).toEqual([12, 64]);
  });

  it('compares a student that had no teacher with one that is named, and says where none is', () => {
    const { status, stderr } = srrl(['analyze', plain]);
    expect(stderr).toMatch(/without a teacher\. Pass --teacher FILE/);
    expect(status).not.toBe(0);
    expect(existsSync(join(plain, 'analysis.json'))).toBe(false);
    const args = ['analyze', plain, '--teacher', teacher, '--data', 'shapes:24?test=60', '--split', 'train', '--json'];
    expect(read(srrl(args).stdout).overall.count).toBe(24);
  });

  it('refuses a folder without a run', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const { status, stderr } = srrl(['analyze', empty]);
    expect(stderr).toMatch(/holds no run/);
    expect(status).toBe(1);
  });
});
