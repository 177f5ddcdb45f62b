import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openDataset, train } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-steps-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = await openDataset('shapes:60?test=12');

async function run(options: { out: string; resume?: boolean; stepMetrics?: number }, until = Number.POSITIVE_INFINITY) {
  const running = train({ data, student: 'resnet8', epochs: 2, batchSize: 12, stepMetrics: 1, ...options });
  for await (const event of running) if (event.type === 'step' && event.step >= until) running.stop();
}

const rowsOf = (out: string, file: string) => {
  const [head = '', ...lines] = readFileSync(join(out, file), 'utf8').trim().split('\n');
  const names = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [names[i], Number(cell)])));
};
const lossOf = (out: string) => rowsOf(out, 'steps.csv').map(({ step, loss }) => [step, loss]);

it('steps.csv has each step once, also of a run that was stopped, and their mean is the epoch', async () => {
  const [whole, parts, third] = ['whole', 'parts', 'third'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await run({ out: whole });
  await run({ out: parts }, 7);
  await run({ out: parts, resume: true });
  expect(lossOf(parts)).toEqual(lossOf(whole));
  const losses = lossOf(whole).map(([, loss]) => loss as number);
  expect(losses).toHaveLength(10);
  for (const [i, { loss }] of rowsOf(whole, 'metrics.csv').entries())
    expect(losses.slice(5 * i, 5 * i + 5).reduce((sum, one) => sum + one, 0) / 5).toBeCloseTo(loss as number, 10);
  await run({ out: third, stepMetrics: 3 });
  expect(lossOf(third).map(([step]) => step)).toEqual([3, 6, 9]);
}, 60_000);
