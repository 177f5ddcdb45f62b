import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'node-html-parser';
import { describe, expect, it } from 'vitest';
import { compareFolders, readRun, runFoldersIn, writeReport } from '../../src/index.js';
import { figuresOf } from '../../src/report/figures.js';
import { StepHistory } from '../../src/report/live-steps.js';
import { thinned } from '../../src/report/step-rows.js';
import { configOf, makeRun, newFolder } from './runs.js';

/** A folder as --seeds leaves it, with these runs in it. */
function groupOf(runs: Record<string, string>): string {
  const folder = newFolder();
  for (const [name, path] of Object.entries(runs)) renameSync(path, join(folder, name));
  return folder;
}

const seeds = (...numbers: number[]) =>
  groupOf(
    Object.fromEntries(
      numbers.map((seed) => [`seed-${seed}`, makeRun({ config: configOf({ seed }), top1: [50 + seed] })]),
    ),
  );

describe('a folder of several runs', () => {
  it('stands for its runs, in the order of their numbers', () => {
    const group = seeds(10, 9, 2);
    expect(runFoldersIn(group)).toEqual(['seed-2', 'seed-9', 'seed-10'].map((name) => join(group, name)));
    const { runs, groups } = compareFolders([group]);
    expect(runs.map(({ run }) => run)).toEqual(['seed-2', 'seed-9', 'seed-10']);
    expect(groups).toMatchObject([{ seeds: [2, 9, 10], lastTop1: { mean: 57 } }]);
  });

  it('may be given by a pattern of the shell, which matches files as well', () => {
    const group = seeds(0, 1);
    writeReport(group);
    const { runs } = compareFolders(readdirSync(group).map((name) => join(group, name)));
    expect(runs.map(({ run }) => run)).toEqual(['seed-0', 'seed-1']);
  });

  it('has a report of each run, and their comparison', () => {
    const group = seeds(0, 1);
    expect(writeReport(group)).toBe(join(group, 'report.html'));
    expect(parse(readFileSync(join(group, 'report.html'), 'utf8')).querySelector('h1')?.text).toBe(
      'Comparison of 2 runs',
    );
    expect(existsSync(join(group, 'seed-1', 'report.html'))).toBe(true);
  });

  it('without runs is an error that says what is expected', () => {
    expect(() => runFoldersIn(newFolder())).toThrow(/holds no run.*srrl distill --out/);
    expect(() => runFoldersIn('nowhere')).toThrow(/nowhere does not exist/);
    const file = join(makeRun(), 'config.yaml');
    expect(() => runFoldersIn(file)).toThrow(/config.yaml is a file.*srrl distill --out/);
    expect(() => compareFolders([file])).toThrow(/config.yaml is a file/);
  });
});

describe('the headline', () => {
  it('has the student alone, where the folder next to it holds such runs', () => {
    const alone = (seed: number) =>
      makeRun({ config: configOf({ method: 'ce', teacher: undefined, seed }), top1: [40 + seed] });
    const group = groupOf({
      srrl: makeRun({ top1: [62] }),
      'ce-0': alone(0),
      'ce-2': alone(2),
      other: makeRun({ config: configOf({ method: 'ce', teacher: undefined, student: 'resnet14' }), top1: [90] }),
    });
    const page = parse(readFileSync(writeReport(join(group, 'srrl')), 'utf8'));
    expect(page.querySelectorAll('#figures dt').map(({ text }) => text)).toEqual([
      ...['Student', 'Teacher', 'Gap', 'Student alone'],
    ]);
    expect(page.querySelectorAll('#figures dd').map(({ text }) => text)).toEqual([
      ...['62.00 %', 'test top-1, epoch 3', '69.00 %', 'test top-1', '−7.00 points', 'student minus teacher'],
      ...['41.00 %', 'ce-0, ce-2; distilled: +21.00 points'],
    ]);
    expect(figuresOf(readRun(join(group, 'ce-0'))).map(({ label }) => label)).toEqual(['Student', 'Teacher', 'Gap']);
  });
});

describe('steps', () => {
  const rows = Array.from({ length: 2500 }, (_, i) => ({ step: i + 1, loss: i % 2 }));

  it('become fewer by means of consecutive ones', () => {
    const few = thinned(rows, 1000);
    expect([few.length, few[0], few.at(-1)?.step]).toEqual([834, { step: 3, loss: 1 / 3 }, 2500]);
    expect(thinned(rows.slice(0, 10))).toEqual(rows.slice(0, 10));
  });

  it('of an active run are kept up to twice what a curve shows', () => {
    const history = new StepHistory();
    for (const { step, loss } of rows)
      history.add({ type: 'step', step, steps: 2500, epoch: 1, epochs: 1, loss, terms: {}, imagesPerSecond: 10 });
    expect(history.rows.length).toBeLessThanOrEqual(2000);
    expect(history.state).toMatchObject({
      step: 2500,
      text: expect.stringMatching(/^step 2500 of 2500.*10 images\/s/),
    });
  });
});
