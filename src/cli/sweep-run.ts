/** Runs the jobs of a sweep one after the other, each in its own process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../atomic.js';
import { packageRoot } from '../native.js';
import { readRun } from '../report/index.js';
import { RunFolder } from '../train/run-folder.js';
import type { Job } from './sweep-plan.js';

/** The progress of a job. */
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
  /** Arguments for each run, which override the file. */
  args: readonly string[];
  /** When all runs must stop, in milliseconds of performance.now(), which clock changes do not affect. */
  deadline: number;
  /** Receives each message. */
  say: (text: string) => void;
}

export interface SweepEnd {
  /** Names of jobs that failed, or whose teacher failed. */
  failed: string[];
  /** Whether jobs remain because of the time budget or Ctrl-C. */
  stopped: boolean;
}

/**
 * Runs the unfinished jobs; jobs that have begun resume from their newest checkpoint. At the deadline or at Ctrl-C, the
 * run in progress saves and ends. A failed job does not stop the others.
 */
export async function runSweep(jobs: readonly Job[], options: SweepOptions): Promise<SweepEnd> {
  const failed = new Set<string>();
  let child: ChildProcess | undefined;
  let stopping = false;
  // The terminal also sends Ctrl-C to the run.
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
  // A run that ended before its first checkpoint starts again.
  if (job.runs.some((folder) => RunFolder.open(folder).latestCheckpoint() !== undefined))
    return [...command, ...out, '--resume'];
  const config = join(job.folder, 'sweep.yaml');
  mkdirSync(job.folder, { recursive: true });
  writeFileAtomic(config, stringify(job.options));
  return [...command, '--config', config, ...out, '--overwrite', ...args];
}
