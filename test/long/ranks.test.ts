/** Runs whose ranks and launchers are killed, or hang: some minutes, and more where the machine is busy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import { type Ended, ended, freePort } from '../distributed/ranks.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));
const python = process.env.SRRL_PYTHON;

const distillInto = (out: string, ...more: string[]): string[] => [
  ...['distill', '--data', 'shapes:60?test=50', '--teacher', 'assets/shapes-teacher.pt', '--student', 'resnet8'],
  ...['--epochs', '6', '--batch-size', '12', '--checkpoint-steps', '1', '--out', join(folder, out), ...more],
];

const hang = join(folder, 'hang');

const start = (command: string, args: string[]): ChildProcess =>
  spawn(command, args, {
    cwd: packageRoot,
    env: { ...process.env, OMP_NUM_THREADS: '1', SRRL_DISTRIBUTED_TIMEOUT: '20', SRRL_HANG: hang },
  });

const launched = (flags: string[], command: string[]): ChildProcess =>
  start(process.execPath, ['bin/srrl.js', 'launch', '--nproc', '2', '--timeout', '20', ...flags, '--', ...command]);

/** What became of a launcher of a run to which something happens when its first checkpoint is there. */
async function disturbed(launcher: ChildProcess, out: string, disturb: () => void): Promise<Ended> {
  const end = ended(launcher);
  const watch = setInterval(() => {
    if (!checkpointed(out)) return;
    clearInterval(watch);
    disturb();
  }, 50);
  const outcome = await end;
  clearInterval(watch);
  return outcome;
}

const withoutRank1 = (launcher: ChildProcess, out: string): Promise<Ended> =>
  disturbed(launcher, out, () => process.kill(rankOf(launcher.pid as number, 1), 'SIGKILL'));

const weights = (out: string): Buffer => Buffer.from(weightBytes(join(folder, out, 'student.safetensors')));

beforeAll(async () => {
  const { code, output } = await ended(launched([], distillInto('whole')));
  expect(code, output).toBe(0);
}, 600_000);

describe('a rank that is killed', () => {
  it('is named by the others, and srrl launch continues the run from its checkpoint', async () => {
    const launcher = launched(['--max-restarts', '1'], distillInto('killed', '--overwrite'));
    const { code, output } = await withoutRank1(launcher, 'killed');
    expect(output).toMatch(/Rank 1 on \S+ .*does not answer/);
    expect(output).toMatch(/: restart 1 of 1/);
    expect(output).toMatch(/resumed after step \d+/);
    expect(code, output).toBe(0);
    expect(weights('killed').equals(weights('whole'))).toBe(true);
  });

  // Skipped without SRRL_PYTHON, whose environment has torchrun.
  it.skipIf(!python)('is started again by torchrun, and the run continues from its checkpoint', async () => {
    const torchrun = join(dirname(python as string), 'torchrun');
    const flags = ['--no-python', '--nproc-per-node', '2', '--max-restarts', '1'];
    flags.push('--master-port', String(await freePort()));
    const command = [process.execPath, 'bin/srrl.js', ...distillInto('torchrun', '--resume')];
    const { code, output } = await withoutRank1(start(torchrun, [...flags, ...command]), 'torchrun');
    expect(output).toMatch(/resumed after step \d+/);
    expect(code, output).toBe(0);
    expect(weights('torchrun').equals(weights('whole'))).toBe(true);
  });
});

describe('a rank that hangs', () => {
  it('is named by the others, and ended by srrl launch', async () => {
    const student = ['--student', 'module:test/distributed/hanging-student.mjs'];
    const launcher = launched([], distillInto('hangs', ...student));
    let rank = 0;
    const { code, output } = await disturbed(launcher, 'hangs', () => {
      rank = rankOf(launcher.pid as number, 1);
      writeFileSync(hang, '');
    });
    rmSync(hang);
    expect(code).not.toBe(0);
    expect(output).toMatch(/Rank 1 on \S+ \(last step \d+\) is running but has not reached this collective: it hangs/);
    expect(runs(rank)).toBe(false);
  });
});

describe('a launcher that is killed', () => {
  it('leaves no process behind, and nothing is lost', async () => {
    const launcher = launched([], distillInto('orphans'));
    let ranks: number[] = [];
    const { output } = await disturbed(launcher, 'orphans', () => {
      ranks = [0, 1].map((rank) => rankOf(launcher.pid as number, rank));
      launcher.kill('SIGKILL');
    });
    expect(output).toMatch(/srrl launch \(process \d+\) has ended without its processes/);
    expect(output).toMatch(/Stopped\. Resume with/);
    // The output of the launcher is theirs as well: it ends with the last of them, a moment before they do.
    await vi.waitFor(() => expect(ranks.filter(runs)).toEqual([]), { timeout: 10_000 });
    const { code } = await ended(launched([], distillInto('orphans', '--resume')));
    expect(code).toBe(0);
    expect(weights('orphans').equals(weights('whole'))).toBe(true);
  });
});

/** Whether a process is there, and more than what init has yet to clear away. */
const runs = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

const checkpointed = (name: string): boolean => {
  try {
    return readdirSync(join(folder, name)).some((file) => /^checkpoint-\d+\.safetensors$/.test(file));
  } catch {
    return false;
  }
};

/** The process of a rank among the children of a launcher. */
function rankOf(launcher: number, rank: number): number {
  const children = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`\0RANK=${rank}\0`));
  if (found === undefined) throw new Error(`there is no rank ${rank}`);
  return found;
}
