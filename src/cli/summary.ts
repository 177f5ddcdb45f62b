/** Mean and spread of several runs, saved in their parent folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../atomic.js';
import type { Accuracy } from '../flow.js';
import { meanAndSpread } from '../report/terminal.js';

/** Percent; `spread` is the sample standard deviation. */
export interface Summary {
  top1: { mean: number; spread: number };
  top5: { mean: number; spread: number };
}

/** Summarizes the accuracies of runs by their names, and writes `summary.json` into `out` if it is given. */
export function summarize(tests: Record<string, Accuracy>, out?: string): Summary {
  const all = Object.values(tests);
  const summary = {
    top1: meanAndSpread(all.map(({ top1 }) => top1)),
    top5: meanAndSpread(all.map(({ top5 }) => top5)),
  };
  if (out !== undefined) {
    mkdirSync(out, { recursive: true });
    writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify({ ...summary, runs: tests }, null, 2)}\n`);
  }
  return summary;
}
