import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../errors.js';
import { z } from '../../options.js';
import { groupTable } from '../../report/compare-tables.js';
import { compareFolders } from '../../report/index.js';
import { durationText, table } from '../../report/terminal.js';
import { srrlCommand } from '../../shell.js';
import { defineCommand } from '../command.js';
import { type Job, readSweep } from '../sweep-plan.js';
import { runSweep, stateOf } from '../sweep-run.js';
import { distillCommand } from './distill.js';
import { trainCommand } from './train.js';

export const sweepCommand = defineCommand({
  name: 'sweep',
  summary: 'run a grid of methods, options, students and seeds from a file; stop and resume at any time',
  arguments: [
    { syntax: '<file>', description: 'sweep file in YAML' },
    { syntax: '[options-of-each-run...]', description: 'after --: flags of srrl distill, which override the file' },
  ],
  options: z.strictObject({
    timeBudget: z.number().positive().optional().describe('minutes after which the run in progress saves and stops'),
    table: z.boolean().default(false).describe('print the results so far, without running anything'),
    plan: z.boolean().default(false).describe('print all runs and their state, without running anything'),
    json: z.boolean().default(false).describe('print the table or plan as JSON'),
  }),
  examples: [
    'srrl sweep grid.yaml',
    'srrl sweep grid.yaml --time-budget 10 -- --device cuda',
    'srrl sweep grid.yaml --table',
  ],
  async run({ timeBudget, table: tableOnly, plan, json }, [file, ...args]) {
    if (file === undefined) throw new ConfigError('srrl sweep needs a sweep file in YAML; see srrl sweep --help.');
    const { out, jobs } = readSweep(file, { distill: distillCommand.options, train: trainCommand.options });
    if (plan) return printPlan(jobs, json);
    if (tableOnly) return printTable(jobs, json);
    const began = performance.now();
    const { failed, stopped } = await runSweep(jobs, {
      args,
      deadline: timeBudget === undefined ? Number.POSITIVE_INFINITY : began + timeBudget * 60_000,
      say: (text) => console.error(text),
    });
    printTable(jobs, json);
    const finished = jobs.filter((job) => stateOf(job) === 'finished').length;
    console.error(
      `${finished} of ${jobs.length} jobs are finished, in ${out}, after ${durationText((performance.now() - began) / 1000)}`,
    );
    if (failed.length > 0) {
      process.exitCode = 1;
      console.error(`failed: ${failed.join(', ')}`);
    }
    if (stopped || failed.length > 0) console.error(`Resume with: ${again(file, timeBudget, args)}`);
  },
});

/** Returns the command line that continues this sweep. */
function again(file: string, timeBudget: number | undefined, args: readonly string[]): string {
  const budget = timeBudget === undefined ? [] : ['--time-budget', String(timeBudget)];
  return srrlCommand('sweep', file, ...budget, ...(args.length === 0 ? [] : ['--', ...args]));
}

function printPlan(jobs: readonly Job[], json: boolean): void {
  const rows = jobs.map((job) => ({ name: job.name, state: stateOf(job), needs: job.needs ?? null }));
  const cells = rows.map(({ name, state, needs }) => [name, state, needs ?? '']);
  console.log(json ? JSON.stringify(rows) : table(['job', 'state', 'needs'], cells));
}

/** Prints mean and spread over seeds of all runs that have started. */
function printTable(jobs: readonly Job[], json: boolean): void {
  const folders = jobs.flatMap(({ runs }) => runs).filter((folder) => existsSync(join(folder, 'metrics.csv')));
  if (folders.length === 0) {
    if (json) console.log(JSON.stringify({ runs: [], groups: [] }));
    else console.error('no run has an epoch yet');
    return;
  }
  const comparison = compareFolders(folders);
  const { head, rows } = groupTable(comparison);
  console.log(json ? JSON.stringify(comparison) : table(head, rows));
}
