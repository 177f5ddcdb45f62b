/** Finds runs next to a run that trained the same student on the same data without a teacher. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { reportedTop1 } from './figures.js';
import { type RunRecords, readRun, recordFiles } from './run-records.js';

/** Mean accuracy of runs without a teacher. */
export interface Alone {
  /** Percent. */
  top1: number;
  /** Names of the folders. */
  runs: string[];
}

/** Options that must be equal for a fair comparison. */
const decisive = ['data', 'student', 'epochs', 'batchSize', 'trainImages', 'validation', 'optimizer', 'lr'];

/**
 * Returns the mean accuracy of the runs without a teacher in the parent folder of `path` that have the same student,
 * data and training. Undefined if the run itself has no teacher, or if there are none.
 */
export function aloneNextTo(path: string, { config }: RunRecords): Alone | undefined {
  if (config.teacher === undefined) return undefined;
  const folder = dirname(resolve(path));
  const found = readdirSync(folder)
    .filter((name) => name !== basename(resolve(path)) && existsSync(join(folder, name, recordFiles.config)))
    .flatMap((name) => {
      const run = readable(join(folder, name));
      const top1 = run && isAlone(run.config, config) && run.end ? reportedTop1(run)?.top1 : undefined;
      return top1 === undefined ? [] : [{ name, top1 }];
    });
  if (found.length === 0) return undefined;
  return { top1: found.reduce((sum, { top1 }) => sum + top1, 0) / found.length, runs: found.map(({ name }) => name) };
}

/** Reads a run; undefined if it cannot be read, which must not prevent the report of another run. */
function readable(path: string): RunRecords | undefined {
  try {
    return readRun(path);
  } catch {
    return undefined;
  }
}

const isAlone = (one: Record<string, unknown>, config: Record<string, unknown>): boolean =>
  one.teacher === undefined && decisive.every((name) => JSON.stringify(one[name]) === JSON.stringify(config[name]));
