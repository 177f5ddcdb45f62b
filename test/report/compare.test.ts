import { describe, expect, it } from 'vitest';
import { compareRuns, groupTable, runTable } from '../../src/report/compare.js';
import { readRun } from '../../src/report/run-records.js';
import { configOf, makeRun } from './runs.js';

const runs = [
  makeRun({ config: configOf({ seed: 0 }), top1: [40, 62, 58] }),
  makeRun({ config: configOf({ seed: 1 }), top1: [40, 50, 60] }),
  makeRun({ config: configOf({ seed: 2 }), top1: [40, 61, 65] }),
  makeRun({ config: configOf({ seed: 0, method: 'kd' }), top1: [45, 30] }),
  makeRun({ config: configOf({ seed: 1, lr: 0.5 }), events: '' }),
].map(readRun);

describe('a comparison', () => {
  const comparison = compareRuns(runs);

  it('has the last and the best of each run', () => {
    expect(comparison.runs[0]).toMatchObject({
      method: 'srrl',
      teacher: 'teacher.pt',
      epochs: 3,
      seed: 0,
      lastTop1: 58,
      bestTop1: 62,
      lastTop5: 88,
      bestTop5: 92,
      seconds: 75,
    });
    expect(comparison.runs[4]).toMatchObject({ differs: ['lr=0.5'], epochs: 0, lastTop1: null, seconds: 0 });
    expect(runTable(comparison).rows[3]?.slice(5)).toEqual([
      '2',
      '0',
      '30.00 %',
      '45.00 %',
      '60.00 %',
      '75.00 %',
      '1 min 15 s',
    ]);
  });

  it('groups what differs in the seed only, with mean and sample standard deviation', () => {
    expect(comparison.groups.map(({ seeds }) => seeds)).toEqual([[0, 1, 2], [0], [1]]);
    const [srrl, kd, unfinished] = comparison.groups;
    // 58, 60, 65: mean 61, squares 9 + 1 + 16 = 26, 26 / 2 = 13.
    expect(srrl?.lastTop1?.mean).toBeCloseTo(61, 12);
    expect(srrl?.lastTop1?.spread).toBeCloseTo(Math.sqrt(13), 12);
    // 62, 60, 65: mean 187 / 3; in thirds 186, 180, 195, squares 1 + 49 + 64 = 114 ninths, half of it.
    expect(srrl?.bestTop1?.mean).toBeCloseTo(187 / 3, 12);
    expect(srrl?.bestTop1?.spread).toBeCloseTo(Math.sqrt(114 / 9 / 2), 12);
    expect([kd?.lastTop1, unfinished?.lastTop1]).toEqual([{ mean: 30, spread: null }, null]);
    expect(groupTable(comparison).rows[0]?.slice(4, 6)).toEqual(['3', '61.00 ± 3.61 %']);
  });
});
