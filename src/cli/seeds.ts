/** One run, or several that differ in their seed alone. */
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import type { Accuracy } from '../flow.js';
import { meanAndSpread, percent } from '../report/terminal.js';
import { type KnownAccuracy, knownAccuracy, lockFolders, type Run } from '../train/index.js';
import { speaks } from './ranks.js';
import { showRun } from './run.js';

interface Plan {
  json: boolean;
  ui: boolean;
  seeds: number;
  setup: Record<string, unknown>;
}

/** Where a run's seed and folder stand in its setup, and what an earlier one knows of the teacher. */
export type SeedOptions = { seed?: number; out?: string; teacherAccuracy?: KnownAccuracy };

/**
 * Starts the runs one after the other and shows them; with several seeds each has a folder below `out`, and a summary
 * follows.
 */
export async function trainAndShow(
  start: (options: SeedOptions) => Run,
  { json, ui, seeds, setup }: Plan,
): Promise<void> {
  if (seeds === 1) {
    await showRun(start({}), { json, ui });
    return;
  }
  if (setup.profile !== undefined) throw new ConfigError('--profile records one run: leave --seeds out to profile it.');
  const [first, out] = [Number(setup.seed ?? 0), setup.out as string | undefined];
  // Also between two seeds the folder is this command's.
  const release = lockFolders(out === undefined || setup.dryRun || !speaks() ? [] : [out]);
  try {
    await eachSeed(start, { json, ui, seeds, first, out });
  } finally {
    release();
  }
}

interface Seeds extends Omit<Plan, 'setup'> {
  first: number;
  out: string | undefined;
}

async function eachSeed(start: (options: SeedOptions) => Run, { json, ui, seeds, first, out }: Seeds): Promise<void> {
  const tests: Accuracy[] = [];
  let known: KnownAccuracy | undefined;
  for (let seed = first; seed < first + seeds; seed++) {
    if (!json && speaks()) console.error(`seed ${seed}:`);
    const folder = out === undefined ? {} : { out: join(out, `seed-${seed}`) };
    const run = start({ seed, ...folder, ...(known && { teacherAccuracy: known }) });
    const { start: begun, end } = await showRun(run, { json, ui });
    if (end.stopped === 'asked') return;
    known = knownAccuracy(begun);
    tests.push(end.test);
  }
  const top1 = meanAndSpread(tests.map((test) => test.top1));
  const top5 = meanAndSpread(tests.map((test) => test.top5));
  if (!speaks()) return;
  if (json) console.log(JSON.stringify({ type: 'summary', seeds, top1, top5 }));
  else
    console.log(
      `${seeds} seeds: top-1 ${percent(top1.mean)} ± ${top1.spread.toFixed(2)}, top-5 ${percent(top5.mean)} ± ${top5.spread.toFixed(2)}`,
    );
}
