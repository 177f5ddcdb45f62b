/** steps.csv of a run folder: a row for some or all of its steps. */
import { existsSync, readFileSync } from 'node:fs';

/** A row of steps.csv: `step`, `epoch`, `loss`, a column per term, `lr`, `images_per_second`. */
export type StepRow = Record<string, number>;

/** The most rows that a curve shows. */
const mostRows = 1000;

/** Reads the rows of a file; none if there is no file. Skips a row that is incomplete because the process ended. */
export function readSteps(file: string): StepRow[] {
  if (!existsSync(file)) return [];
  const [head = '', ...lines] = readFileSync(file, 'utf8').split('\n');
  const names = head.split(',');
  // The last line is empty or incomplete.
  return lines.slice(0, -1).flatMap((line) => {
    const cells = line.split(',');
    if (cells.length !== names.length) return [];
    return [Object.fromEntries(names.map((name, i) => [name, cells[i] === '' ? Number.NaN : Number(cells[i])]))];
  });
}

/** Reduces rows to at most `most`, by default 1000, by averaging consecutive ones. */
export function thinned(rows: readonly StepRow[], most = mostRows): StepRow[] {
  const size = Math.ceil(rows.length / most);
  if (size <= 1) return [...rows];
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
    const group = rows.slice(i * size, (i + 1) * size);
    const last = group.at(-1) as StepRow;
    const mean = (name: string) => group.reduce((sum, row) => sum + (row[name] ?? Number.NaN), 0) / group.length;
    return Object.fromEntries(
      Object.keys(last).map((name) => [name, name === 'step' ? (last.step as number) : mean(name)]),
    );
  });
}
