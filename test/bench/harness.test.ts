import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { baselineOf, compareWith, readBaseline, writeBaseline } from '../../src/bench/baseline.js';
import { environment } from '../../src/bench/environment.js';
import { runSuite, type SuiteResult } from '../../src/bench/harness.js';
import { suiteText } from '../../src/bench/report.js';
import { ratiosOf, requireAgreement, summarize } from '../../src/bench/statistics.js';
import type { Suite } from '../../src/bench/suite.js';
import { suites } from '../../src/bench/suites/index.js';
import { BenchError, FileError } from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('statistics', () => {
  it('are medians and quartiles, between the samples in proportion', () => {
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, quartiles: [1.75, 3.25], samples: [4, 1, 3, 2] });
    expect(summarize([7])).toEqual({ median: 7, quartiles: [7, 7], samples: [7] });
  });

  it('make ratios that are below 1 where we are better, of times and of speeds', () => {
    expect(ratiosOf([1, 3], [2, 2], 'lower')).toEqual([0.5, 1.5]);
    expect(ratiosOf([200, 50], [100, 100], 'higher')).toEqual([0.5, 2]);
  });
});

describe('agreement', () => {
  it('holds within the tolerance, and is refused beyond it, for what is missing and for what is NaN', () => {
    requireAgreement('a case', { ce: 4.6, fm: 0 }, { ce: 4.604, fm: 0, more: 1 });
    for (const theirs of [{ ce: 4.61 }, {}, { ce: Number.NaN }]) {
      expect(() => requireAgreement('a case, eager', { ce: 4.6 }, theirs as Record<string, number>)).toThrow(
        /a case, eager: ce is 4.6 here and .* there[\s\S]*nothing is timed/,
      );
    }
    expect(() => requireAgreement('a case', { ce: Number.NaN }, { ce: Number.NaN })).toThrow(BenchError);
  });
});

/** A result with one ratio a case. */
function results(ratios: Record<string, number[]>): SuiteResult[] {
  const cases = Object.entries(ratios).map(([name, samples]) => ({
    name,
    unit: 'ms' as const,
    better: 'lower' as const,
    ours: summarize([1]),
    peers: [
      { name: 'eager', theirs: summarize([1]), ratio: summarize(samples) },
      { name: 'compiled', unavailable: 'no compiler' },
    ],
    agreed: [],
  }));
  return [{ suite: 'step', threads: 1, rounds: 1, cases, skipped: [] }];
}

describe('a baseline', () => {
  const file = join(folder, 'baseline.json');

  it('holds ratios with their spread, and no seconds', () => {
    writeBaseline(file, baselineOf(environment(), results({ a: [0.8, 0.9, 1.0, 1.1], b: [0.5] })));
    const { ratios } = readBaseline(file);
    expect(ratios).toEqual({
      'step / a / eager': { ratio: 0.95, spread: 0.15 },
      // No measurement is better than this.
      'step / b / eager': { ratio: 0.5, spread: 0.075 },
    });
    expect(JSON.parse(readFileSync(file, 'utf8')).environment.node).toBe(process.version);
  });

  it('finds what is worse by more than the spread, and nothing else', () => {
    const verdicts = compareWith(readBaseline(file), results({ a: [1.09], b: [0.58], c: [9] }));
    expect(verdicts.map(({ key, worse, before }) => [key, worse, before])).toEqual([
      ['step / a / eager', false, 0.95],
      ['step / b / eager', true, 0.5],
      ['step / c / eager', false, undefined],
    ]);
  });

  it('says how it is made where there is none', () => {
    writeFileSync(join(folder, 'other.json'), '{"ratios": 3}');
    for (const name of ['nowhere.json', 'other.json']) {
      expect(() => readBaseline(join(folder, name))).toThrow(FileError);
      expect(() => readBaseline(join(folder, name))).toThrow(/--against pytorch --save/);
    }
  });
});

it('every file of suites is in the registry, and every peer is there', () => {
  const files = readdirSync(join(packageRoot, 'src/bench/suites')).filter((file) => file !== 'index.ts');
  expect(suites.map(({ name }) => `${name}.ts`).sort()).toEqual(files.sort());
  const peers = readdirSync(join(packageRoot, 'bench/peers'));
  for (const { peer } of suites) if (peer !== undefined) expect(peers).toContain(peer);
});

/** Tensors that are left when what nobody holds is gone: a suite about calls without a scope leaves some behind. */
async function alive(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return torch.memory().tensors;
}

describe.each(suites.map((suite) => [suite.name, suite] as const))('the suite %s', (_name, suite) => {
  it('does each of its cases, and frees what it made', async () => {
    const before = await alive();
    const result = await runSuite(suite, { tiny: true, rounds: 1 });
    const names = result.cases.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
    for (const { ours } of result.cases) expect(ours.median).toBeGreaterThan(0);
    expect(suiteText(suite, result)).toContain(names[0]);
    expect(await alive()).toBe(before);
  }, 120_000);
});

it('a ledger adds up to the whole step', async () => {
  const step = suites.find(({ name }) => name === 'step') as Suite;
  const { cases } = await runSuite(step, { tiny: true, rounds: 1, only: 'wrn_16_2, SRRL, live' });
  const { whole, ...parts } = (cases[0]?.ledger ?? {}) as Record<string, number>;
  const known = [
    'data',
    'teacher',
    'student forward',
    'connector and losses',
    'backward',
    'checks',
    'optimizer',
    'host',
  ];
  expect(Object.keys(parts).sort()).toEqual(known.sort());
  expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(whole as number, 6);
});
