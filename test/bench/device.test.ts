import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Budget } from '../../src/bench/budget.js';
import { milliseconds } from '../../src/bench/clock.js';
import { runSuite } from '../../src/bench/harness.js';
import { bestText, suiteText } from '../../src/bench/report.js';
import type { Suite } from '../../src/bench/suite.js';
import { suites } from '../../src/bench/suites/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();

const folder = mkdtempSync(join(tmpdir(), 'srrl-bench-device-'));
/** For processes that are started here, which have to have the device as well. */
const preload = { NODE_OPTIONS: `--import=${new URL('../helpers/mock-device.mjs', import.meta.url).href}` };
const before = process.env.NODE_OPTIONS;
beforeAll(() => {
  if (isMock) process.env.NODE_OPTIONS = preload.NODE_OPTIONS;
});
afterAll(() => {
  if (before === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = before;
  rmSync(folder, { recursive: true });
});

const small = { tiny: true, rounds: 1, precision: 'bfloat16' } as const;
/** Of suites with many cases, those of the smallest networks. */
const parts: Record<string, string> = { step: 'wrn_16_2', teacher: 'wrn_40_2', optim: 'wrn_16_2' };
const onDevice = suites.filter(({ cpuOnly }) => cpuOnly === undefined);

describe.runIf(isThere)('on a device', () => {
  it.each(onDevice.map((suite) => [suite.name, suite] as const))(
    'the suite %s does each of its cases',
    async (_name, suite) => {
      const { cases, skipped } = await runSuite(suite, { ...small, only: parts[suite.name] ?? '', device });
      expect(cases.length).toBeGreaterThan(0);
      expect(skipped).toEqual([]);
      expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
      for (const { name, ours } of cases) {
        expect(name).toContain(device);
        // Of a device's memory nothing may be left.
        expect(ours.median).toBeGreaterThan(name.includes('held') ? -1 : 0);
      }
    },
    240_000,
  );

  it('the time of work is that between two events', async () => {
    const began = performance.now();
    const spent = await milliseconds(() => new Promise((resolve) => setTimeout(resolve, 20)), device);
    expect(spent).toBeGreaterThan(15);
    expect(spent).toBeLessThan(performance.now() - began);
  });
});

describe('a suite that has until a certain time', () => {
  /** A case that takes long, and others behind it. */
  const suite: Suite = {
    name: 'some',
    summary: 'something',
    rounds: 1,
    cases: () =>
      ['first', 'second', 'third'].map((name) => ({
        name,
        unit: 'ms',
        better: 'lower',
        peers: [],
        open: () => ({ question: {}, measure: () => milliseconds(() => new Promise((done) => setTimeout(done, 30))) }),
      })),
  };

  it('leaves out what does not fit, and says so', async () => {
    const result = await runSuite(suite, { deadline: performance.now() + 10 });
    expect(result.cases.map(({ name }) => name)).toEqual(['first']);
    expect(suiteText(suite, result)).toContain('There was no time for: second; third.');
  });

  it('measures the others where one fails', async () => {
    const broken = {
      ...suite,
      cases: () =>
        suite.cases({} as never).map((each) => ({
          ...each,
          ...(each.name === 'second' && {
            open: () => {
              throw new Error('it broke');
            },
          }),
        })),
    };
    await expect(runSuite(broken)).rejects.toThrow('it broke');
    const failures: string[] = [];
    const { cases } = await runSuite(broken, { failed: (name, error) => failures.push(`${name}: ${error}`) });
    expect(cases.map(({ name }) => name)).toEqual(['first', 'third']);
    expect(failures).toEqual(['some: second: Error: it broke']);
  });

  it('has its share of what is left', () => {
    const weighted = (weight?: number): Suite => ({ ...suite, ...(weight !== undefined && { weight }) });
    const budget = new Budget(4, 0);
    expect(budget.deadlineOf(weighted(6), [weighted(), weighted()], 0)).toBe(180_000);
    // What the first one left over is for the others.
    expect(budget.deadlineOf(weighted(), [weighted()], 40_000)).toBe(140_000);
    expect(budget.deadlineOf(weighted(), [], 999_999)).toBe(999_999);
  });
});

it('a report takes the ratio to the form that costs least', () => {
  const summary = (median: number) => ({ median, quartiles: [median, median] as [number, number], samples: [median] });
  const text = bestText([
    {
      suite: 'step',
      threads: 1,
      rounds: 1,
      skipped: [],
      cases: [
        {
          name: 'a case',
          unit: 'images/s',
          better: 'higher',
          ours: summary(200),
          agreed: [],
          best: 'graph',
          peers: [
            { name: 'eager', theirs: summary(50), ratio: summary(0.25) },
            { name: 'graph', theirs: summary(100), ratio: summary(0.5) },
          ],
        },
      ],
    },
  ]);
  expect(text).toMatch(/a case.*images\/s.*200.*graph.*100.*0\.50/);
  expect(text).not.toContain('eager');
  expect(bestText([])).toBeUndefined();
});

describe.runIf(isMock)('srrl bench --device', () => {
  it('measures there, writes all samples, and says what is left out', () => {
    const results = join(folder, 'results.json');
    const { stdout, stderr, status } = srrl(
      ['bench', 'optim', 'loader', '--device', 'hpu', '--rounds', '1', '--only', 'SGD, wrn', '--results', results],
      preload,
    );
    expect([stderr, status]).toEqual([expect.stringContaining('optim: SGD, wrn_16_2, hpu:0'), 0]);
    expect(stdout).toContain('Not on hpu:0: loader (the CPU decodes JPEG files).');
    const { suites: found, failures } = JSON.parse(readFileSync(results, 'utf8'));
    expect([found[0].cases[0].ours.samples.length, failures]).toEqual([1, []]);
  });

  it('refuses a device that is not there', () => {
    const { stderr, status } = srrl(['bench', 'optim', '--device', 'xpu']);
    expect([stderr, status]).toEqual([expect.stringContaining('There is no device xpu'), 2]);
  });
});

describe.skipIf(!process.env.SRRL_PYTHON)('with PyTorch', () => {
  it("the peers' forms for a GPU do on a CPU what its eager form does, and are captured in order", () => {
    const script = join(packageRoot, 'test/bench/check_peers.py');
    const { stdout, stderr, status } = spawnSync(process.env.SRRL_PYTHON as string, [script], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', PYTHONDONTWRITEBYTECODE: '1', OMP_NUM_THREADS: '1' },
    });
    expect([stderr, status]).toEqual(['', 0]);
    expect(stdout.trim()).toBe('ok');
  }, 240_000);
});
