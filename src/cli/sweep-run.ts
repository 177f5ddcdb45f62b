/** Runs the jobs of a sweep one after the other, each in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../atomic.js';
import { packageRoot } from '../native.js';
import { readRun } from '../report/index.js';
import { RunFolder } from '../train/run-folder.js';
import type { Job } from './sweep-plan.js';

/** How far a job is. */
export type JobState = 'finished' | 'begun' | 'waiting';

export function stateOf({ runs }: Job): JobState {
  const begun = runs.filter((folder) => existsSync(join(folder, 'config.yaml')));
  if (begun.length === 0) return 'waiting';
  const ended = begun.filter((folder) => {
    const { end } = readRun(folder);
    return end !== undefined && end.stopped !== 'asked';
  });
  return ended.length === runs.length ? 'finished' : 'begun';
}

export interface SweepOptions {
  /** Arguments for each run, which win over the file. */
  args: readonly string[];
  /** When no run may continue, in milliseconds of performance.now(), which no change of the clock moves. */
  deadline: number;
  /** Called with each message. */
  say: (text: string) => void;
}

export interface SweepEnd {
  /** Names of jobs that failed, or whose teacher did. */
  failed: string[];
  /** Whether jobs are left because of time or Ctrl-C. */
  stopped: boolean;
}

/**
 * Runs the jobs that are not finished: those that were begun resume from their newest checkpoint. At the deadline, or
 * at Ctrl-C, the run in progress saves and ends. A job that fails does not keep the others from running.
 */
export async function runSweep(jobs: readonly Job[], options: SweepOptions): Promise<SweepEnd> {
  const failed = new Set<string>();
  let child: ChildProcess | undefined;
  let stopping = false;
  // The terminal sends Ctrl-C to the run as well.
  const stop = () => {
    stopping = true;
  };
  process.on('SIGINT', stop);
  const timer = setTimeout(
    () => {
      stopping = true;
      child?.kill('SIGINT');
    },
    Math.min(options.deadline - performance.now(), 2 ** 31 - 1),
  );
  try {
    for (const [i, job] of jobs.entries()) {
      if (stopping) return { failed: [...failed], stopped: true };
      if (stateOf(job) === 'finished') continue;
      const place = `[${i + 1}/${jobs.length}] ${job.name}`;
      if (job.needs !== undefined && failed.has(job.needs)) {
        failed.add(job.name);
        options.say(`${place}: left out, because ${job.needs} failed`);
        continue;
      }
      options.say(`${place}${stateOf(job) === 'begun' ? ': resumes' : ''}`);
      child = spawn(process.execPath, argumentsOf(job, options.args), { stdio: 'inherit' });
      const code = await new Promise<number | null>((resolve, reject) => {
        child?.once('error', reject).once('exit', resolve);
      });
      if (stopping) return { failed: [...failed], stopped: true };
      if (code !== 0) {
        failed.add(job.name);
        options.say(`${place}: failed with exit status ${code}`);
      }
    }
    return { failed: [...failed], stopped: false };
  } finally {
    clearTimeout(timer);
    process.removeListener('SIGINT', stop);
  }
}

function argumentsOf(job: Job, args: readonly string[]): string[] {
  const command = [join(packageRoot, 'bin/srrl.js'), job.command];
  const out = ['--out', job.folder];
  // A run that was ended before its first checkpoint starts again.
  if (job.runs.some((folder) => RunFolder.open(folder).latestCheckpoint() !== undefined))
    return [...command, ...out, '--resume'];
  const config = join(job.folder, 'sweep.yaml');
  mkdirSync(job.folder, { recursive: true });
  writeFileAtomic(config, stringify(job.options));
  return [...command, '--config', config, ...out, '--overwrite', ...args];
}
