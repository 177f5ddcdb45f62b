/** steps.csv of a run folder: a row for some or all of its steps. */
import { existsSync, readFileSync } from 'node:fs';

/** A row of steps.csv: `step`, `epoch`, `loss`, a column a term, `lr`, `images_per_second`. */
export type StepRow = Record<string, number>;

/** The most rows that a curve shows. */
const mostRows = 1000;

/** The rows of a file; none where there is no file. A row that was torn by the end of the process is passed over. */
export function readSteps(file: string): StepRow[] {
  if (!existsSync(file)) return [];
  const [head = '', ...lines] = readFileSync(file, 'utf8').split('\n');
  const names = head.split(',');
  // The last line is empty, or torn.
  return lines.slice(0, -1).flatMap((line) => {
    const cells = line.split(',');
    if (cells.length !== names.length) return [];
    return [Object.fromEntries(names.map((name, i) => [name, cells[i] === '' ? Number.NaN : Number(cells[i])]))];
  });
}

/** At most a thousand rows: the means of as many consecutive ones as it takes. */
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
