/** A rank that is killed in the middle of a run: about a minute, and several where the machine is busy. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import { ended } from '../distributed/ranks.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));

function start(out: string, flags: string[]) {
  const run = [
    'distill',
    '--data',
    'shapes:60?test=50',
    '--teacher',
    'assets/shapes-teacher.pt',
    '--student',
    'resnet8',
  ];
  const how = [
    '--epochs',
    '6',
    '--batch-size',
    '12',
    '--checkpoint-steps',
    '1',
    '--out',
    join(folder, out),
    '--overwrite',
  ];
  const args = ['bin/srrl.js', 'launch', '--nproc', '2', '--timeout', '20', ...flags, '--', ...run, ...how];
  return spawn(process.execPath, args, { cwd: packageRoot });
}

describe('a rank that is killed', () => {
  it('is named by the others, and the run continues from its checkpoint', async () => {
    const child = start('killed', ['--max-restarts', '1']);
    const end = ended(child);
    let killed = false;
    const watch = setInterval(() => {
      if (killed || !checkpointed('killed')) return;
      killed = true;
      process.kill(rankOf(child.pid as number, 1), 'SIGKILL');
    }, 50);
    const { code, output } = await end;
    clearInterval(watch);
    expect(output).toMatch(/Rank 1 on \S+ .*does not answer/);
    expect(output).toMatch(/: restart 1 of 1/);
    expect(output).toMatch(/continuing after step \d+/);
    expect(code, output).toBe(0);
    const whole = await ended(start('whole', []));
    expect(whole.code, whole.output).toBe(0);
    const [one, other] = ['killed', 'whole'].map((name) => weightBytes(join(folder, name, 'student.safetensors')));
    expect(Buffer.from(one as Uint8Array).equals(Buffer.from(other as Uint8Array))).toBe(true);
  });
});

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
