import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalysisRecord } from '../../src/analysis/index.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-analyze-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const distilled = join(folder, 'distilled');
const plain = join(folder, 'plain');

beforeAll(() => {
  const options = ['--data', 'shapes:120', '--student', 'resnet8', '--epochs', '1', '--json'];
  expect(srrl(['distill', '--teacher', teacher, ...options, '--out', distilled]).status).toBe(0);
  expect(srrl(['train', ...options, '--out', plain]).status).toBe(0);
}, 120_000);

const read = (text: string) => JSON.parse(text) as AnalysisRecord & { run: string; model: string };

describe('srrl analyze', () => {
  it('finds data and teacher by the run, agrees with eval, and leaves its result in the folder', () => {
    const { status, stdout, stderr } = srrl(['analyze', distilled, '--json']);
    expect([status, stderr]).toEqual([0, '']);
    const record = read(stdout);
    expect(record).toMatchObject({ run: distilled, model: 'resnet8', data: 'shapes:120', split: 'test' });
    expect(record.classes).toHaveLength(12);
    expect(record.overall.count).toBe(1200);
    expect(record.teacher.accuracy).toBeGreaterThan(0.9);
    const { top1 } = JSON.parse(srrl(['eval', distilled, '--json']).stdout) as { top1: number };
    expect(100 * record.student.accuracy).toBeCloseTo(top1, 9);
    expect(read(readFileSync(join(distilled, 'analysis.json'), 'utf8'))).toEqual(record);
  });

  it('shows tables to people', () => {
    const { status, stdout } = srrl(['analyze', distilled, '--split', 'train', '--out', 'train.json']);
    expect(status).toBe(0);
    for (const text of ['120 train images', 'linear CKA', 'calibration error', '5 worst classes', '5 best classes'])
      expect(stdout).toContain(text);
    expect(read(readFileSync(join(distilled, 'train.json'), 'utf8')).overall.count).toBe(120);
  });

  it('compares a student that had no teacher with one that is named, and says where none is', () => {
    const { status, stderr } = srrl(['analyze', plain]);
    expect(stderr).toMatch(/without a teacher\. Say with --teacher FILE/);
    expect(status).not.toBe(0);
    expect(existsSync(join(plain, 'analysis.json'))).toBe(false);
    const args = ['analyze', plain, '--teacher', teacher, '--data', 'shapes:24', '--split', 'train', '--json'];
    expect(read(srrl(args).stdout).overall.count).toBe(24);
  });

  it('refuses a folder without a run', () => {
    const { status, stderr } = srrl(['analyze', folder]);
    expect(stderr).toMatch(/no run folder/);
    expect(status).toBe(1);
  });
});
