/** One cache of the teacher's features that the processes of a machine fill and read together. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import { verifyCache } from '../../src/distill/target-cache.js';
import { packageRoot } from '../helpers/cli.js';
import { ended, freePort, runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-shared-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));

const distill = (name: string, ...more: string[]): string[] => [
  ...['bin/srrl.js', 'distill', '--data', 'shapes:120?test=40', '--teacher', 'assets/shapes-teacher.pt'],
  ...['--student', 'resnet8', '--epochs', '4', '--batch-size', '24', '--views', '3', '--checkpoint-steps', '2'],
  ...['--teacher-cache', join(folder, `cache-${name}`), '--out', join(folder, name), ...more],
];

async function run(ranks: number, name: string, ...more: string[]): Promise<void> {
  for (const { code, output } of await runRanks(ranks, distill(name, ...more))) {
    expect(code, output).toBe(0);
    expect(output).not.toMatch(/damaged/);
  }
}

/** The one cache that there is, with no drafts beside it. */
function cacheOf(name: string): string {
  const directory = join(folder, `cache-${name}`);
  const names = readdirSync(directory);
  expect(names).toHaveLength(1);
  return join(directory, names[0] as string);
}

const filesOf = (name: string): Buffer[] =>
  ['key.json', 'sums.bin', 'features.bin'].map((file) => readFileSync(join(cacheOf(name), file)));

const weights = (name: string): Buffer => Buffer.from(weightBytes(join(folder, name, 'student.safetensors')));

describe('a cache that several processes fill', () => {
  it('is bitwise that of one process', async () => {
    await run(1, 'one');
    await run(2, 'two');
    await run(4, 'four');
    expect(verifyCache(cacheOf('two'))).toEqual({ count: 360, absent: 0, damaged: 0 });
    for (const name of ['two', 'four'])
      expect(filesOf(name).map((file, i) => file.equals(filesOf('one')[i] as Buffer))).toEqual([true, true, true]);
  });

  it('is whole where one of them is killed, and the run resumes with it', async () => {
    const port = await freePort();
    const [first, second] = [0, 1].map((rank) =>
      spawn(process.execPath, distill('killed'), {
        cwd: packageRoot,
        env: {
          ...process.env,
          ...{ OMP_NUM_THREADS: '1', MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port), WORLD_SIZE: '2' },
          ...{ RANK: String(rank), LOCAL_RANK: String(rank), SRRL_DISTRIBUTED_TIMEOUT: '20' },
        },
      }),
    );
    const ends = [first, second].map((child) => ended(child as NonNullable<typeof child>));
    const watch = setInterval(() => {
      if (
        readdirSync(folder).includes('killed') &&
        readdirSync(join(folder, 'killed')).some((name) => /^checkpoint-\d+\.safe/.test(name))
      )
        second?.kill('SIGKILL');
    }, 20);
    const [survivor] = await Promise.all(ends);
    clearInterval(watch);
    expect(survivor?.output).toMatch(/Rank 1 on \S+ .*does not answer/);
    const { absent, damaged } = verifyCache(cacheOf('killed'));
    expect([absent > 0, damaged]).toEqual([true, 0]);
    await run(2, 'killed', '--resume');
    expect(filesOf('killed').map((file, i) => file.equals(filesOf('one')[i] as Buffer))).toEqual([true, true, true]);
    expect(weights('killed').equals(weights('two'))).toBe(true);
  });
});
