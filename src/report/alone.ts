/** Runs of the same student on the same data without a teacher, found next to a run. */
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

/** What has to be the same for a comparison to be fair. */
const decisive = ['data', 'student', 'epochs', 'batchSize', 'trainImages', 'validation', 'optimizer', 'lr'];

/**
 * The runs without a teacher in the folder that `path` is in, with the same student, data and training; their mean.
 * Undefined for a run without a teacher, and where there is none.
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

/** A folder that cannot be read is no reason to refuse the report of another one. */
function readable(path: string): RunRecords | undefined {
  try {
    return readRun(path);
  } catch {
    return undefined;
  }
}

const isAlone = (one: Record<string, unknown>, config: Record<string, unknown>): boolean =>
  one.teacher === undefined && decisive.every((name) => JSON.stringify(one[name]) === JSON.stringify(config[name]));
