/** The curves of runs, as JSON-compatible values; chart-script.ts draws them. */
import { type RunRecords, showsTop5, type TimedEpoch } from './run-records.js';
import { type StepRow, thinned } from './step-rows.js';

/** A curve: one value per point of the x axis, null for a missing value. */
export interface Series {
  label: string;
  values: (number | null)[];
  /** A level to compare with, such as the teacher's accuracy: a dashed line. */
  isReference?: true;
}

export interface Chart {
  title: string;
  /** The unit of the x axis; default epochs. */
  unit?: 'step';
  /** Ascending. */
  x: number[];
  series: Series[];
}

type Values = (epoch: TimedEpoch) => number | undefined;

/** Charts of one run: accuracies, loss, terms, learning rate and throughput; also by step, if steps were kept. */
export function runCharts(run: RunRecords): Chart[] {
  const terms = [...new Set(run.epochs.flatMap(({ terms }) => Object.keys(terms)))];
  const top5: [string, Values][] = [
    ['test top-5', ({ test }) => test?.top5],
    ['validation top-5', ({ validation }) => validation?.top5],
  ];
  const charts: [string, [string, Values][]][] = [
    [
      'Accuracy, %',
      [
        ['test top-1', ({ test }) => test?.top1],
        ['validation top-1', ({ validation }) => validation?.top1],
        ['training top-1', ({ trainTop1 }) => trainTop1],
        ...(showsTop5(run) ? top5 : []),
      ],
    ],
    [
      'Loss',
      [
        ['weighted sum, train', ({ loss }) => loss],
        ['cross-entropy, test', ({ test }) => test?.loss],
      ],
    ],
    ['Loss terms, unweighted', terms.map((term) => [term, ({ terms }) => terms[term]])],
    ['Learning rate', [['learning rate', ({ lr }) => lr]]],
    ['Throughput, images/s', [['images/s', ({ imagesPerSecond }) => imagesPerSecond]]],
  ];
  const drawn = charts.map(([title, series]) =>
    chartOf(
      title,
      series.map(([label, values]) => ({ label, runs: [run], values })),
    ),
  );
  const [accuracy, ...others] = drawn as [Chart, ...Chart[]];
  const all = [withTeacher(accuracy, run), ...others, ...stepCharts(run.steps ?? [])];
  return all.filter(({ series }) => series.length > 0);
}

/** Adds the teacher's accuracy as a level to the chart of accuracies. */
function withTeacher(chart: Chart, { start }: RunRecords): Chart {
  const top1 = finite(start?.teacher?.top1);
  if (top1 === null || chart.x.length === 0) return chart;
  return {
    ...chart,
    series: [...chart.series, { label: 'teacher', values: chart.x.map(() => top1), isReference: true }],
  };
}

/** Loss, terms and throughput by step. */
export function stepCharts(all: readonly StepRow[]): Chart[] {
  const rows = thinned(all);
  if (rows.length === 0) return [];
  const terms = Object.keys(rows[0] ?? {}).filter((name) => name.startsWith('term_'));
  const chart = (title: string, columns: [string, string][]): Chart => ({
    title,
    unit: 'step',
    x: rows.map(({ step }) => step as number),
    series: columns.map(([label, column]) => ({ label, values: rows.map((row) => finite(row[column])) })),
  });
  return [
    chart('Loss by step', [
      ['weighted sum', 'loss'],
      ...(terms.length > 1 ? terms.map((name): [string, string] => [name.slice(5), name]) : []),
    ]),
    chart('Throughput by step, images/s', [['images/s', 'images_per_second']]),
  ];
}

/** A curve of a comparison: of one run, or the mean of several. */
export interface Curve {
  label: string;
  runs: readonly RunRecords[];
}

/** Returns one chart per quantity, with all curves in it. */
export function comparisonCharts(curves: readonly Curve[]): Chart[] {
  const quantities: [string, Values][] = [
    ['Test top-1, %', ({ test }) => test?.top1],
    ...(curves.some(({ runs }) => runs.some(showsTop5))
      ? [['Test top-5, %', ({ test }) => test?.top5] as [string, Values]]
      : []),
    ['Test cross-entropy', ({ test }) => test?.loss],
    ['Training loss, weighted sum', ({ loss }) => loss],
    ['Learning rate', ({ lr }) => lr],
    ['Throughput, images/s', ({ imagesPerSecond }) => imagesPerSecond],
  ];
  return quantities.map(([title, values]) =>
    chartOf(
      title,
      curves.map((curve) => ({ ...curve, values })),
    ),
  );
}

/** Returns a chart of the wanted curves, without those that have no value at all. */
function chartOf(title: string, wanted: (Curve & { values: Values })[]): Chart {
  const epochs = new Set(wanted.flatMap(({ runs }) => runs.flatMap((run) => run.epochs.map(({ epoch }) => epoch))));
  const x = [...epochs].sort((a, b) => a - b);
  const series = wanted.map(({ label, runs, values }) => {
    const known = runs.map((run) => new Map(run.epochs.map((epoch) => [epoch.epoch, values(epoch)])));
    return { label, values: x.map((epoch) => meanOf(known.map((one) => finite(one.get(epoch))))) };
  });
  return { title, x, series: series.filter(({ values }) => values.some((value) => value !== null)) };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
