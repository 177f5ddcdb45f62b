import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runSuite } from '../../src/bench/harness.js';
import type { Suite } from '../../src/bench/suite.js';
import { suites } from '../../src/bench/suites/index.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-peer-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program in the place of python. */
function pretended(name: string, script: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

const facts = '{"python": "3", "torch": "2", "threads": 1, "device": "cpu"}';

/** A python that gives these answers, one a question. */
const answering = (name: string, ...answers: object[]): string =>
  pretended(
    name,
    [facts, ...answers.map((answer) => JSON.stringify(answer))].map((line) => `echo '${line}'; read x`).join('\n'),
  );

/** One case that says what it was asked for. */
function suite(log: string[]): Suite {
  return {
    name: 'some',
    summary: 'something',
    peer: 'step.py',
    rounds: 2,
    cases: () => [
      {
        name: 'a case',
        unit: 'ms',
        better: 'lower',
        peers: [
          { name: 'eager', variant: 'eager' },
          { name: 'compiled', variant: 'compile', compiled: true },
        ],
        open: () => ({
          question: { file: 'x' },
          check: () => ({ ce: 4 }),
          measure: () => log.push('measured'),
          dispose: () => log.push('disposed'),
        }),
      },
    ],
  };
}

describe('the peer', () => {
  it('alternates with us, and its first measurement is not counted', async () => {
    const python = answering('good', { values: { ce: 4.001 } }, { value: 100 }, { value: 2 }, { value: 4 }, {});
    const log: string[] = [];
    const { cases, peer } = await runSuite(suite(log), { python });
    expect(log).toEqual(['measured', 'measured', 'measured', 'disposed']);
    expect(peer?.torch).toBe('2');
    expect(cases[0]).toMatchObject({ ours: { samples: [2, 3] }, agreed: ['ce'] });
    expect(cases[0]?.peers).toMatchObject([
      { name: 'eager', theirs: { samples: [2, 4] }, ratio: { samples: [1, 0.75] } },
    ]);
  });

  it('is not timed, nor are we, where its losses differ', async () => {
    const python = answering('other', { values: { ce: 4.1 } }, {});
    const log: string[] = [];
    await expect(runSuite(suite(log), { python })).rejects.toThrow(/a case, eager: ce is 4 here and 4.1 there/);
    expect(log).toEqual(['disposed']);
    const two = answering('two', { values: { ce: 4.1 } }, { values: { ce: 4 } }, ...Array(3).fill({ value: 1 }), {});
    const failures: string[] = [];
    const failed = (name: string, error: unknown) => failures.push(`${name}: ${error}`);
    const { cases } = await runSuite(suite([]), { python: two, compiled: true, failed });
    expect(failures).toEqual([expect.stringContaining('a case, eager: ce is 4 here and 4.1 there')]);
    expect(cases[0]?.peers.map(({ unavailable }) => unavailable)).toEqual(['its numbers are not ours', undefined]);
    expect(cases[0]?.best).toBe('compiled');
  });

  it('may be unable to do one form of the work, which is not a failure', async () => {
    const python = answering(
      'old',
      { values: { ce: 4 } },
      { unavailable: 'no compiler' },
      ...Array(3).fill({ value: 1 }),
      {},
    );
    const { cases } = await runSuite(suite([]), { python, compiled: true });
    expect(cases[0]?.peers.map(({ name, unavailable }) => [name, unavailable])).toEqual([
      ['eager', undefined],
      ['compiled', 'no compiler'],
    ]);
  });

  it('says what it lacks', async () => {
    const bare = pretended('bare', `echo "ModuleNotFoundError: No module named 'torch'" >&2; exit 1`);
    const broken = answering('broken', { error: 'Traceback: it broke' }, {});
    await expect(runSuite(suite([]), { python: bare })).rejects.toThrow(/has no torch[\s\S]*SRRL_PYTHON/);
    await expect(runSuite(suite([]), { python: join(folder, 'none') })).rejects.toThrow(
      /cannot be started[\s\S]*--python/,
    );
    await expect(runSuite(suite([]), { python: broken })).rejects.toThrow(/it broke/);
  });
});

describe('srrl bench', () => {
  it('prints our numbers, and refuses what makes no sense', () => {
    const { stdout, status } = srrl(['bench', 'ops', '--rounds', '1', '--only', 'add', '--json']);
    const { environment, suites: found } = JSON.parse(stdout);
    expect([status, environment.node, found[0].cases.length]).toEqual([0, process.version, 2]);
    expect(srrl(['bench', 'opps']).stderr).toMatch(/no suite 'opps'[\s\S]*ops/);
    expect(srrl(['bench', 'ops', '--check', 'x.json']).stderr).toMatch(/need --against pytorch/);
    const without = srrl(['bench', 'ops', '--against', 'pytorch', '--python', join(folder, 'none')]);
    expect([without.status, without.stderr]).toEqual([1, expect.stringContaining('cannot be started')]);
  });
});

describe.skipIf(!process.env.SRRL_PYTHON)('with PyTorch', () => {
  it.each(suites.filter(({ peer }) => peer !== undefined).map((each) => [each.name, each] as const))(
    'the suite %s agrees',
    async (_name, each) => {
      const { cases } = await runSuite(each, { tiny: true, rounds: 1, python: process.env.SRRL_PYTHON as string });
      const ratios = cases.flatMap(({ peers }) => peers.flatMap(({ ratio }) => ratio?.median ?? []));
      expect(ratios.length).toBeGreaterThan(0);
    },
    300_000,
  );
});
