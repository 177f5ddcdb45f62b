import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { studentFiles, weightBytes } from '../../distill/saved-student.js';
import { ResumeError } from '../../errors.js';
import { openSafetensors } from '../../files/index.js';
import { packageRoot } from '../../native.js';
import { z } from '../../options.js';
import { durationText } from '../../report/terminal.js';
import { defineCommand } from '../command.js';

export const verifyResumeCommand = defineCommand({
  name: 'verify-resume',
  summary: 'check that a run that is killed at random moments and resumed ends with bitwise identical weights',
  arguments: [
    {
      syntax: '[options-of-distill...]',
      description: 'after --: flags of srrl distill for the run; default: a small run',
    },
  ],
  options: z.strictObject({
    kills: z.int().min(1).default(3).describe('number of runs to kill'),
    json: z.boolean().default(false).describe('print the result as JSON'),
  }),
  examples: [
    'srrl verify-resume',
    'srrl verify-resume --kills 20 -- --data shapes:240 --teacher assets/shapes-teacher.pt --epochs 3 --method crd',
  ],
  async run({ kills, json }, given) {
    const folder = mkdtempSync(join(tmpdir(), 'srrl-verify-'));
    try {
      const result = await verify(
        folder,
        given.length > 0 ? given : smallRun(),
        kills,
        json ? () => {} : console.error,
      );
      if (json) console.log(JSON.stringify(result));
      if (result.same) {
        if (!json)
          console.log(
            `${kills} kills (${result.late} of runs that had ended), no torn file: the weights are the same bit for bit every time`,
          );
        return;
      }
      throw new ResumeError(
        `After ${kills} kills ${result.torn} files are torn, and the weights are ${result.whole} and ${[...new Set(result.resumed)].join(', ')}.`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

const smallRun = (): string[] => [
  ...['--data', 'shapes:240', '--teacher', join(packageRoot, 'assets/shapes-teacher.pt')],
  ...['--epochs', '3', '--batch-size', '24'],
];

interface Verdict {
  kills: number;
  /** Number of runs that ended before they were killed. */
  late: number;
  /** Number of checkpoints that could not be read after a kill. */
  torn: number;
  whole: string;
  /** Hashes of the final weights, one per kill. */
  resumed: string[];
  same: boolean;
}

/** Kills one run per kill, resumes it to its end, and compares its weights with an uninterrupted run. */
async function verify(folder: string, args: string[], kills: number, say: (text: string) => void): Promise<Verdict> {
  const wholeRun = join(folder, 'whole');
  const began = performance.now();
  await runOnce([...args, '--out', wholeRun]);
  const milliseconds = performance.now() - began;
  const whole = hashOf(join(wholeRun, studentFiles.last));
  say(`uninterrupted: ${durationText(milliseconds / 1000)}`);
  let [torn, late] = [0, 0];
  const resumed: string[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const run = join(folder, `kill-${kill}`);
    const resuming = [...args, '--out', run, '--resume', '--checkpoint-steps', '1'];
    const moment = Math.random() * milliseconds;
    if (!(await runOnce(resuming, moment))) late++;
    torn += tornFiles(run);
    await runOnce(resuming);
    resumed.push(hashOf(join(run, studentFiles.last)));
    say(
      `kill ${kill} after ${durationText(moment / 1000)}: ${resumed.at(-1) === whole ? 'the same weights' : 'OTHER WEIGHTS'}`,
    );
    rmSync(run, { recursive: true });
  }
  return { kills, late, torn, whole, resumed, same: torn === 0 && resumed.every((hash) => hash === whole) };
}

/**
 * Runs `srrl distill` in a child process, killed after `milliseconds`. Returns whether it was killed. Throws with the
 * output of the run if it failed.
 */
function runOnce(args: string[], milliseconds?: number): Promise<boolean> {
  const child = spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), 'distill', ...args, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const timer = milliseconds === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), milliseconds);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (signal === 'SIGKILL') resolve(true);
      else if (code === 0) resolve(false);
      else reject(new ResumeError(`The run ended with ${code ?? signal}: ${said.trim()}`));
    });
  });
}

function tornFiles(run: string): number {
  let files: string[];
  try {
    files = readdirSync(run).filter((file) => file.endsWith('.safetensors'));
  } catch {
    return 0;
  }
  return files.filter((file) => {
    try {
      openSafetensors(join(run, file)).close();
      return false;
    } catch {
      return true;
    }
  }).length;
}

const hashOf = (file: string): string => createHash('sha256').update(weightBytes(file)).digest('hex');
