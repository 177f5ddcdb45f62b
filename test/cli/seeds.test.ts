import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { type SeedOptions, trainAndShow } from '../../src/cli/seeds.js';
import type { Run, TrainEvent } from '../../src/train/index.js';

afterEach(() => void vi.restoreAllMocks());

const accuracyOf = (top1: number) => ({ top1, top5: 100, loss: 1, count: 10 });

/** A run that only begins and ends. */
async function* shortRun(seed: number): AsyncGenerator<TrainEvent> {
  yield {
    type: 'start',
    config: { teacher: 'teacher.pt', tap: 'fc', data: 'shapes' },
    parameters: 1,
    classes: 2,
    provenance: { version: '1.0.0', command: 'srrl', dataSha256: '' },
    teacher: accuracyOf(90),
    terms: {},
    estimate: { secondsPerStep: 1, seconds: 1, bytes: 1, diskBytes: 1 },
    environment: {},
  };
  yield { type: 'end', test: accuracyOf(60 + seed), epoch: 1, seconds: 1 };
}

it('runs with several seeds measure the teacher once, and leave a summary', async () => {
  const out = mkdtempSync(join(tmpdir(), 'srrl-seeds-'));
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line) => void lines.push(String(line)));
  const asked: SeedOptions[] = [];
  const start = (options: SeedOptions) => {
    asked.push(options);
    return shortRun(options.seed ?? 0) as unknown as Run;
  };
  await trainAndShow(start, { command: 'distill', json: true, ui: false, seeds: 3, setup: { seed: 4, out } });
  const known = {
    teacher: 'teacher.pt',
    tap: 'fc',
    data: 'shapes',
    seen: expect.any(String),
    accuracy: accuracyOf(90),
  };
  expect(asked).toEqual([
    { seed: 4, out: join(out, 'seed-4') },
    { seed: 5, out: join(out, 'seed-5'), teacherAccuracy: known },
    { seed: 6, out: join(out, 'seed-6'), teacherAccuracy: known },
  ]);
  expect(JSON.parse(lines.at(-1) as string)).toMatchObject({
    type: 'summary',
    seeds: 3,
    top1: { mean: 65, spread: 1 },
  });
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
  expect(summary).toMatchObject({ top1: { mean: 65, spread: 1 }, runs: { 'seed-4': accuracyOf(64) } });
  rmSync(out, { recursive: true });
});
