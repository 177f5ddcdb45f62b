import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-demo-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('the demo has rows that spread by at most 2 points, a gain, and a report', () => {
  const { status, stdout } = srrl(['demo', '--json', '--out', folder]);
  expect(status).toBe(0);
  const { ce, srrl: distilled, gain, report } = JSON.parse(stdout);
  for (const { top1 } of [ce, distilled] as { top1: number[] }[]) {
    const mean = top1.reduce((sum, value) => sum + value, 0) / 3;
    const spread = Math.sqrt(top1.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
    expect([top1.length, spread <= 2]).toEqual([3, true]);
  }
  expect(gain).toBeGreaterThan(0);
  expect(existsSync(report)).toBe(true);
}, 900_000);
