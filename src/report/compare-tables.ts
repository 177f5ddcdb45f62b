/** Comparisons as tables: for terminals, pages, spreadsheets and papers. */
import { type Comparison, groupNames, measures, type Statistic } from './compare.js';
import { durationText, percent } from './terminal.js';

export interface ComparisonTable {
  head: string[];
  rows: string[][];
}

/** The columns that a table shows. */
export interface TableChoice {
  /** Whether top-5 accuracies are shown; default true. */
  top5?: boolean;
}

const percentOf = (value: number | null): string => (value === null ? '-' : percent(value));
const statisticText = (statistic: Statistic | null): string =>
  statistic === null
    ? '-'
    : statistic.spread === null
      ? percent(statistic.mean)
      : `${statistic.mean.toFixed(2)} ± ${percent(statistic.spread)}`;
const countOf = (value: number | null): string => (value === null ? '-' : Math.round(value).toLocaleString('en'));

const measureNames: Record<(typeof measures)[number], string> = {
  lastTop1: 'last top-1',
  bestTop1: 'best on test top-1',
  lastTop5: 'last top-5',
  bestTop5: 'best on test top-5',
};

const shownMeasures = ({ top5 = true }: TableChoice) => measures.filter((name) => top5 || !name.endsWith('5'));

/** Returns the options in which runs differ; each is a column. */
const optionColumns = (rows: readonly { options: Record<string, string> }[]): string[] => [
  ...new Set(rows.flatMap(({ options }) => Object.keys(options))),
];

/** Returns a table with one row per run. */
export function runTable({ runs }: Comparison, choice: TableChoice = {}): ComparisonTable {
  const options = optionColumns(runs);
  const shown = shownMeasures(choice);
  return {
    head: [
      ...['run', 'method', 'student', 'teacher', ...options, 'epochs', 'seed'],
      ...shown.map((measure) => measureNames[measure]),
      'time',
    ],
    rows: runs.map((run) => [
      ...[run.run, run.method, run.student, run.teacher],
      ...options.map((name) => run.options[name] ?? '-'),
      ...[String(run.epochs), run.seed === null ? '-' : String(run.seed)],
      ...shown.map((measure) => percentOf(run[measure])),
      durationText(run.seconds),
    ]),
  };
}

/** Returns a table with one row per group: mean ± sample standard deviation over its runs. */
export function groupTable({ groups }: Comparison, choice: TableChoice = {}): ComparisonTable {
  const options = optionColumns(groups);
  const shown = shownMeasures(choice);
  return {
    head: [
      ...['method', 'student', 'teacher', ...options, 'runs'],
      ...shown.map((measure) => measureNames[measure]),
      ...['parameters', 'images/s'],
    ],
    rows: groups.map((group) => [
      ...[group.method, group.student, group.teacher],
      ...options.map((name) => group.options[name] ?? '-'),
      String(group.runs.length),
      ...shown.map((measure) => statisticText(group[measure])),
      ...[countOf(group.parameters), countOf(group.imagesPerSecond)],
    ]),
  };
}

/** Returns a table with one row per pair of groups. */
export const significanceTable = ({ significance }: Comparison): ComparisonTable => ({
  head: ['first', 'second', 'difference', '95 % interval', 'p'],
  rows: significance.map(({ a, b, difference, low, high, p }) => [
    a,
    b,
    `${signed(difference)} points`,
    `${signed(low)} to ${signed(high)}`,
    p < 0.001 ? '< 0.001' : p.toFixed(3),
  ]),
});

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;

/** Returns a table with one row per group, in plain numbers for spreadsheets and plots. */
function groupNumbers(comparison: Comparison): ComparisonTable {
  const { groups } = comparison;
  const options = optionColumns(groups);
  const names = groupNames(groups);
  return {
    head: [
      ...['name', 'method', 'student', 'teacher', ...options, 'runs'],
      ...measures.flatMap((measure) => [`${measure}_mean`, `${measure}_spread`]),
      ...['parameters', 'images_per_second'],
    ],
    rows: groups.map((group, i) => [
      ...[names[i] as string, group.method, group.student, group.teacher],
      ...options.map((name) => group.options[name] ?? ''),
      String(group.runs.length),
      ...measures.flatMap((measure) => [group[measure]?.mean, group[measure]?.spread].map(plain)),
      ...[group.parameters, group.imagesPerSecond].map(plain),
    ]),
  };
}

const plain = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : String(value);

/** Formats the groups of a comparison for other programs. */
export const comparisonFormats = {
  csv: (comparison: Comparison): string => csv(groupNumbers(comparison)),
  markdown: (comparison: Comparison, choice?: TableChoice): string => markdown(groupTable(comparison, choice)),
  latex: (comparison: Comparison, choice?: TableChoice): string => latex(groupTable(comparison, choice)),
};
export type ComparisonFormat = keyof typeof comparisonFormats;

/** Formats a table as CSV, quoted as in RFC 4180. */
function csv({ head, rows }: ComparisonTable): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [head, ...rows].map((row) => `${row.map(cell).join()}\n`).join('');
}

function markdown({ head, rows }: ComparisonTable): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}

const latexLetters: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
};

/** Formats a table for LaTeX's booktabs package. */
function latex({ head, rows }: ComparisonTable): string {
  const cell = (text: string) =>
    text
      .replace(/[\\~^]|[%&_#$ {}]/g, (letter) => latexLetters[letter] ?? (letter === ' ' ? ' ' : `\\${letter}`))
      .replaceAll('±', '$\\pm$');
  const line = (cells: string[]) => `${cells.map(cell).join(' & ')} \\\\\n`;
  const body = rows.map(line).join('');
  return `\\begin{tabular}{${'l'.repeat(head.length)}}\n\\toprule\n${line(head)}\\midrule\n${body}\\bottomrule\n\\end{tabular}\n`;
}
