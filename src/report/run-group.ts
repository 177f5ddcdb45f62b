/** Finds run folders below a folder, as --seeds and --students create them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FileError } from '../errors.js';
import { recordFiles } from './run-records.js';

export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

const isRun = (path: string): boolean => existsSync(join(path, recordFiles.config));

/**
 * Returns the run folder itself, or the run folders directly below it, ordered by the numbers in their names. Throws
 * FileError if there are none.
 */
export function runFoldersIn(path: string): string[] {
  if (isRun(path)) return [path];
  if (isFile(path)) throw new FileError(`${path} is a file. Give the folder that srrl distill --out wrote.`);
  const names = existsSync(path) ? readdirSync(path).filter((name) => isRun(join(path, name))) : [];
  if (names.length === 0) {
    const problem = existsSync(path) ? 'holds no run: neither it nor a folder in it has a' : 'does not exist: no';
    throw new FileError(`${path} ${problem} ${recordFiles.config}. Give the folder that srrl distill --out wrote.`);
  }
  const order = new Intl.Collator('en', { numeric: true });
  return names.sort(order.compare).map((name) => join(path, name));
}
