/** The curves of runs, as values that JSON can hold; chart-script.ts draws them. */
import type { RunRecords, TimedEpoch } from './run-records.js';

export interface Chart {
  title: string;
  /** Epochs, ascending. */
  x: number[];
  /** One value an epoch; null where there is none. */
  series: { label: string; values: (number | null)[] }[];
}

type Values = (epoch: TimedEpoch) => number | undefined;

/** Loss, terms, accuracies, learning rate and throughput of one run. */
export function runCharts(run: RunRecords): Chart[] {
  const terms = [...new Set(run.epochs.flatMap(({ terms }) => Object.keys(terms)))];
  const charts: [string, [string, Values][]][] = [
    [
      'Loss',
      [
        ['weighted sum, train', ({ loss }) => loss],
        ['cross-entropy, test', ({ test }) => test?.loss],
      ],
    ],
    ['Loss terms, unweighted', terms.map((term) => [term, ({ terms }) => terms[term]])],
    [
      'Accuracy, %',
      [
        ['training top-1', ({ trainTop1 }) => trainTop1],
        ['test top-1', ({ test }) => test?.top1],
        ['test top-5', ({ test }) => test?.top5],
        ['validation top-1', ({ validation }) => validation?.top1],
        ['validation top-5', ({ validation }) => validation?.top5],
      ],
    ],
    ['Learning rate', [['learning rate', ({ lr }) => lr]]],
    ['Throughput, images/s', [['images/s', ({ imagesPerSecond }) => imagesPerSecond]]],
  ];
  return charts.map(([title, series]) =>
    chartOf(
      title,
      series.map(([label, values]) => ({ label, run, values })),
    ),
  );
}

/** One chart a quantity, with all runs over each other. */
export function comparisonCharts(runs: { label: string; run: RunRecords }[]): Chart[] {
  const quantities: [string, Values][] = [
    ['Test top-1, %', ({ test }) => test?.top1],
    ['Test top-5, %', ({ test }) => test?.top5],
    ['Test cross-entropy', ({ test }) => test?.loss],
    ['Training loss, weighted sum', ({ loss }) => loss],
    ['Learning rate', ({ lr }) => lr],
    ['Throughput, images/s', ({ imagesPerSecond }) => imagesPerSecond],
  ];
  return quantities.map(([title, values]) =>
    chartOf(
      title,
      runs.map((labelled) => ({ ...labelled, values })),
    ),
  );
}

/** Series that have no value at all are left out. */
function chartOf(title: string, wanted: { label: string; run: RunRecords; values: Values }[]): Chart {
  const epochs = new Set(wanted.flatMap(({ run }) => run.epochs.map(({ epoch }) => epoch)));
  const x = [...epochs].sort((a, b) => a - b);
  const series = wanted.map(({ label, run, values }) => {
    const known = new Map(run.epochs.map((epoch) => [epoch.epoch, values(epoch)]));
    return { label, values: x.map((epoch) => finite(known.get(epoch))) };
  });
  return { title, x, series: series.filter(({ values }) => values.some((value) => value !== null)) };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
