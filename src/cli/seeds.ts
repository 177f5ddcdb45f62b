/** Runs one training, or several that differ only in their seed. */
import { basename, join, resolve } from 'node:path';
import { ConfigError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import { percent } from '../report/terminal.js';
import { type KnownAccuracy, knownAccuracy, lockFolders, type Run } from '../train/index.js';
import { speaks } from './ranks.js';
import { resumeCommand, type Showing, showRun } from './run.js';
import { summarize } from './summary.js';

interface Plan extends Pick<Showing, 'tensorboard' | 'reporters'> {
  command: 'distill' | 'train';
  json: boolean;
  ui: boolean;
  seeds: number;
  setup: Record<string, unknown>;
}

/** The seed and folder of a run in its setup, and the teacher's accuracy if an earlier run measured it. */
export type SeedOptions = { seed?: number; out?: string; teacherAccuracy?: KnownAccuracy };

/**
 * Runs the seeds one after the other and shows them. With several seeds, each has a folder below `out`, and a summary
 * follows.
 */
export async function trainAndShow(start: (options: SeedOptions) => Run, plan: Plan): Promise<void> {
  const { command, json, ui, seeds, setup, tensorboard, reporters } = plan;
  const resume = resumeCommand(command, setup.out);
  if (seeds === 1) {
    await showRun(start({}), { json, ui, resume, tensorboard, reporters, name: nameOf(setup) });
    return;
  }
  if (setup.profile !== undefined) throw new ConfigError('--profile records one run: leave --seeds out to profile it.');
  const [first, out] = [Number(setup.seed ?? 0), setup.out as string | undefined];
  // The folder stays locked between two seeds.
  const release = lockFolders(out === undefined || setup.dryRun || !speaks() ? [] : [out]);
  try {
    await eachSeed(start, { ...plan, first, out, resume, dryRun: setup.dryRun === true, name: nameOf(setup) });
  } finally {
    release();
  }
}

interface Seeds extends Omit<Plan, 'setup' | 'command'> {
  first: number;
  out: string | undefined;
  resume: string | undefined;
  dryRun: boolean;
  name: string;
}

/** Returns the name of the folder, or `<student> on <data>`. */
export const nameOf = ({ out, student, data }: Record<string, unknown>): string =>
  typeof out === 'string' ? basename(resolve(out)) : `${student} on ${data}`;

async function eachSeed(start: (options: SeedOptions) => Run, plan: Seeds): Promise<void> {
  const { json, ui, seeds, first, out, resume, dryRun, tensorboard, reporters } = plan;
  const tests: Record<string, Accuracy> = {};
  let known: KnownAccuracy | undefined;
  for (let seed = first; seed < first + seeds; seed++) {
    if (!json && speaks()) console.error(`seed ${seed}:`);
    const name = `seed-${seed}`;
    const folder = out === undefined ? {} : { out: join(out, name) };
    const run = start({ seed, ...folder, ...(known && { teacherAccuracy: known }) });
    const { start: begun, end } = await showRun(run, {
      ...{ json, ui, resume, reporters, name: `${plan.name}, ${name}` },
      tensorboard: tensorboard && join(tensorboard, name),
    });
    if (end.stopped === 'asked') return;
    known = knownAccuracy(begun);
    tests[name] = end.test;
  }
  const { top1, top5 } = summarize(tests, dryRun ? undefined : out);
  if (!speaks()) return;
  if (json) console.log(JSON.stringify({ type: 'summary', seeds, top1, top5 }));
  else
    console.log(
      `${seeds} seeds: top-1 ${percent(top1.mean)} ± ${top1.spread.toFixed(2)}, top-5 ${percent(top5.mean)} ± ${top5.spread.toFixed(2)}`,
    );
}
