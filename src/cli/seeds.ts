/** One run, or several that differ in their seed alone. */
import { join } from 'node:path';
import { meanAndSpread, percent } from '../report/terminal.js';
import type { Run } from '../train/index.js';
import { type End, showRun } from './run.js';

interface Plan {
  json: boolean;
  ui: boolean;
  seeds: number;
  setup: Record<string, unknown>;
}

/** Where a run's seed and folder stand in its setup. */
export type SeedOptions = { seed?: number; out?: string };

/** Starts the runs one after the other and shows them; with several seeds each has a folder below `out`, and a summary follows. */
export async function trainAndShow(
  start: (options: SeedOptions) => Run,
  { json, ui, seeds, setup }: Plan,
): Promise<void> {
  if (seeds === 1) {
    await showRun(start({}), { json, ui });
    return;
  }
  const [first, out] = [Number(setup.seed ?? 0), setup.out as string | undefined];
  const ends: End[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    if (!json) console.error(`seed ${seed}:`);
    const folder = out === undefined ? {} : { out: join(out, `seed-${seed}`) };
    const end = await showRun(start({ seed, ...folder }), { json, ui });
    if (end.stopped === 'asked') return;
    ends.push(end);
  }
  const top1 = meanAndSpread(ends.map(({ test }) => test.top1));
  const top5 = meanAndSpread(ends.map(({ test }) => test.top5));
  if (json) console.log(JSON.stringify({ type: 'summary', seeds, top1, top5 }));
  else
    console.log(
      `${seeds} seeds: top-1 ${percent(top1.mean)} ± ${top1.spread.toFixed(2)}, top-5 ${percent(top5.mean)} ± ${top5.spread.toFixed(2)}`,
    );
}
