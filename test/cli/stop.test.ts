import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { resumeCommand, sayHowToResume } from '../../src/cli/run.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-stop-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

describe('a stopped run', () => {
  it('says by Ctrl-C how to resume it, and the command does', async () => {
    const out = join(folder, 'a run');
    const args = ['--data', 'shapes:48?test=12', '--batch-size', '12', '--epochs', '2', '--step-metrics', '1'];
    const child = spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), 'train', ...args, '--out', out]);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        // The first line comes before the first step.
        if (said === '') child.kill('SIGINT');
        said += chunk;
      });
    const [code] = await once(child, 'close');
    expect(code).toBe(130);
    const [, command = ''] = /^Stopped\. Resume with: srrl (.*)$/m.exec(said) ?? [];
    expect(command).toBe(`train --resume --out '${out}'`);
    const resumed = srrl(['train', '--resume', '--out', out]);
    expect([resumed.status, resumed.stdout]).toEqual([0, expect.stringContaining('student: ')]);
  });

  it.each([
    ['asked', 'srrl distill --resume --out runs/a', 'Stopped. Resume with: srrl distill --resume --out runs/a'],
    ['time budget', 'x', 'Stopped at the end of the time budget. Resume with: x'],
    ['asked', undefined, 'Stopped. Nothing was saved: use --out to be able to resume'],
  ] as const)('%s: %s', (why, command, text) => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    sayHowToResume(why, command);
    expect(said.mock.calls).toEqual([[text]]);
  });

  it('that ended by itself says nothing', () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    for (const why of [undefined, 'early stop', 'dry run'] as const) sayHowToResume(why, 'x');
    expect(said).not.toHaveBeenCalled();
    expect(resumeCommand('train', undefined)).toBeUndefined();
  });
});
