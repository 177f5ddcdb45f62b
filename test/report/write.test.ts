import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  compareFolders,
  compareRuns,
  comparisonPage,
  FileError,
  readRun,
  reportPage,
  writeReport,
} from '../../src/index.js';
import { srrl } from '../helpers/cli.js';
import { configOf, makeRun, newFolder } from './runs.js';

describe('what a program calls', () => {
  it('writes the report into the run folder, or elsewhere, as the command does', () => {
    const path = makeRun({ analyzed: true });
    const file = writeReport(path);
    expect(file).toBe(join(path, 'report.html'));
    const text = readFileSync(file, 'utf8');
    expect(text).toBe(reportPage(readRun(path)));
    const out = join(newFolder(), 'page.html');
    expect(srrl(['report', path, '--out', out])).toMatchObject({ status: 0, stdout: `${out}\n` });
    expect(readFileSync(out, 'utf8')).toBe(text);
    expect(() => writeReport(path, { out: join(path, 'nowhere', 'page.html') })).toThrow(FileError);
    expect(() => writeReport(newFolder())).toThrow(/holds no run/);
  });

  it('compares folders as the command does, and writes a page only when it is asked to', () => {
    const paths = [0, 1].map((seed) => makeRun({ config: configOf({ seed }), top1: [40, 60 + seed] }));
    const folder = newFolder();
    const [html, theirs] = [join(folder, 'a.html'), join(folder, 'b.html')];
    const comparison = compareFolders(paths);
    expect(existsSync(html)).toBe(false);
    expect(comparison.groups).toMatchObject([{ seeds: [0, 1], lastTop1: { mean: 60.5 } }]);
    expect(compareFolders(paths, { html })).toEqual(compareRuns(paths.map(readRun)));
    expect(readFileSync(html, 'utf8')).toBe(comparisonPage(paths.map(readRun)));
    expect(JSON.parse(srrl(['compare', ...paths, '--html', theirs, '--json']).stdout)).toEqual(comparison);
    expect(readFileSync(theirs, 'utf8')).toBe(readFileSync(html, 'utf8'));
  });
});
