/** Writes pages to files. */
import { join } from 'node:path';
import { writeFileAtomic } from '../atomic.js';
import { checkCall, type Kinds } from '../call.js';
import { FileError, messageOf } from '../errors.js';
import { aloneNextTo } from './alone.js';
import { type Comparison, compareRuns } from './compare.js';
import { comparisonPage } from './compare-page.js';
import { reportPage } from './html.js';
import { isFile, runFoldersIn } from './run-group.js';
import { readRun } from './run-records.js';

const kinds: Kinds<ReportOptions> = { out: 'string' };

/** Options of {@link writeReport}. */
export interface ReportOptions {
  /** File for the page. Default: `report.html` in the run folder. */
  out?: string;
}

/**
 * Writes the report of a run folder, even of an active run, as an HTML file without network requests, including the
 * example images and mistakes that {@link analyzeRun} saved there. For a folder of several runs, as `--seeds` makes it,
 * writes a report into each and their comparison into the folder itself. Returns the file. Throws FileError if the
 * folder cannot be read or the file cannot be written.
 *
 *     writeReport('runs/a');
 */
export function writeReport(path: string, { out = join(path, 'report.html') }: ReportOptions = {}): string {
  checkCall('writeReport', ['path'], kinds, arguments);
  const folders = runFoldersIn(path);
  if (folders[0] !== path) {
    for (const folder of folders) writeReport(folder);
    writePage(out, comparisonPage(folders.map(readRun)));
    return out;
  }
  const run = readRun(path);
  const alone = aloneNextTo(path, run);
  writePage(out, reportPage(alone ? { ...run, alone } : run));
  return out;
}

/**
 * Compares run folders, or all runs below a folder of several: mean and sample standard deviation of runs that differ
 * only in their seed. With `html`, also writes a page with their curves. Skips files among the paths, which `runs/*`
 * may contain. Throws FileError if a folder cannot be read or the page cannot be written.
 *
 *     const { groups } = compareFolders(['runs/a/seed-0', 'runs/a/seed-1'], { html: 'comparison.html' });
 */
export function compareFolders(paths: readonly string[], { html }: { html?: string } = {}): Comparison {
  checkCall('compareFolders', ['paths'], { html: 'string' }, arguments);
  // A shell expands runs/* to reports and summaries as well.
  const folders = paths.filter((path) => !isFile(path));
  const records = (folders.length > 0 ? folders : paths).flatMap(runFoldersIn).map(readRun);
  if (html !== undefined) writePage(html, comparisonPage(records));
  return compareRuns(records);
}

function writePage(file: string, text: string): void {
  try {
    writeFileAtomic(file, text);
  } catch (error) {
    throw new FileError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error });
  }
}
