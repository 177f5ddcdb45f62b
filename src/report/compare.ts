/** Runs beside each other, and what their seeds make of them. */
import { basename } from 'node:path';
import { comparisonCharts } from './charts.js';
import { html } from './markup.js';
import { page, tableOf } from './page.js';
import { canonical, differences, type Settings, settingsOf, variedOptions } from './run-options.js';
import { bestEpoch, evaluatedEpochs, type RunRecords } from './run-records.js';
import { durationText, meanAndSpread, percent } from './terminal.js';

/** A run as a row of a comparison. */
export interface ComparedRun {
  run: string;
  method: string;
  student: string;
  /** File name; '-' for a run without. */
  teacher: string;
  /** What else is not the same in all runs, as `option=value`; `none` where the run does not have the option. */
  differs: string[];
  /** That were done. */
  epochs: number;
  seed: number | null;
  /** Percent, on the test split, of the last evaluated epoch and the best; null where there is none. */
  lastTop1: number | null;
  bestTop1: number | null;
  lastTop5: number | null;
  bestTop5: number | null;
  /** Seconds. */
  seconds: number;
}

/** Percent. `spread` is the sample standard deviation (divisor n - 1); null for one run. */
export interface Statistic {
  mean: number;
  spread: number | null;
}

/** Runs whose configurations differ in nothing but the seed. */
export interface ComparedGroup {
  method: string;
  student: string;
  teacher: string;
  differs: string[];
  runs: string[];
  seeds: (number | null)[];
  lastTop1: Statistic | null;
  bestTop1: Statistic | null;
  lastTop5: Statistic | null;
  bestTop5: Statistic | null;
}

/** What {@link compareRuns} finds. */
export interface Comparison {
  runs: ComparedRun[];
  groups: ComparedGroup[];
}

const measures = ['lastTop1', 'bestTop1', 'lastTop5', 'bestTop5'] as const;

/**
 * Runs beside each other, and groups of those whose configurations differ in nothing but the seed, in the order in which they come.
 *
 *     const { runs, groups } = compareRuns(['runs/a', 'runs/b'].map(readRun));
 */
export function compareRuns(records: readonly RunRecords[]): Comparison {
  const names = namesOf(records);
  const settings = records.map(({ config }) => settingsOf(config));
  const varied = variedOptions(settings);
  const runs = records.map((run, index) =>
    describe(run, names[index] as string, differences(settings[index] as Settings, varied)),
  );
  const grouped = new Map<string, ComparedRun[]>();
  for (const [index, { options }] of settings.entries()) {
    const { seed: _seed, ...rest } = Object.fromEntries(options);
    const key = canonical(rest);
    grouped.set(key, [...(grouped.get(key) ?? []), runs[index] as ComparedRun]);
  }
  return { runs, groups: [...grouped.values()].map(groupOf) };
}

function describe(run: RunRecords, name: string, differs: string[]): ComparedRun {
  const { config, epochs, end } = run;
  const last = evaluatedEpochs(run).at(-1)?.test;
  const best = bestEpoch(run)?.test;
  return {
    run: name,
    method: String(config.method ?? '-'),
    student: String(config.student ?? '-'),
    teacher: config.teacher === undefined ? '-' : basename(String(config.teacher)),
    differs,
    epochs: epochs.length,
    seed: typeof config.seed === 'number' ? config.seed : null,
    lastTop1: last?.top1 ?? null,
    bestTop1: best?.top1 ?? null,
    lastTop5: last?.top5 ?? null,
    bestTop5: best?.top5 ?? null,
    seconds: end?.seconds ?? epochs.reduce((sum, epoch) => sum + epoch.seconds, 0),
  };
}

function groupOf(runs: ComparedRun[]): ComparedGroup {
  const { method, student, teacher, differs } = runs[0] as ComparedRun;
  const statistic = (measure: (typeof measures)[number]): Statistic | null => {
    const values = runs.map((run) => run[measure]).filter((value) => value !== null);
    if (values.length === 0) return null;
    const { mean, spread } = meanAndSpread(values);
    return { mean, spread: values.length > 1 ? spread : null };
  };
  return {
    method,
    student,
    teacher,
    differs,
    runs: runs.map(({ run }) => run),
    seeds: runs.map(({ seed }) => seed),
    lastTop1: statistic('lastTop1'),
    bestTop1: statistic('bestTop1'),
    lastTop5: statistic('lastTop5'),
    bestTop5: statistic('bestTop5'),
  };
}

/** Folder names, or whole paths where two have the same name. */
function namesOf(records: readonly RunRecords[]): string[] {
  const count = (name: string) => records.filter((other) => other.name === name).length;
  return records.map(({ name, path }) => (count(name) > 1 ? (path ?? name) : name));
}

const percentOf = (value: number | null): string => (value === null ? '-' : percent(value));
const statisticText = (statistic: Statistic | null): string =>
  statistic === null
    ? '-'
    : statistic.spread === null
      ? percent(statistic.mean)
      : `${statistic.mean.toFixed(2)} ± ${percent(statistic.spread)}`;

export interface ComparisonTable {
  head: string[];
  rows: string[][];
}

const heads = {
  who: ['method', 'student', 'teacher', 'differs in'],
  what: ['last top-1', 'best top-1', 'last top-5', 'best top-5'],
};

/** A row a run. */
export const runTable = ({ runs }: Comparison): ComparisonTable => ({
  head: ['run', ...heads.who, 'epochs', 'seed', ...heads.what, 'time'],
  rows: runs.map((run) => [
    run.run,
    run.method,
    run.student,
    run.teacher,
    run.differs.join(' ') || '-',
    String(run.epochs),
    run.seed === null ? '-' : String(run.seed),
    ...measures.map((measure) => percentOf(run[measure])),
    durationText(run.seconds),
  ]),
});

/** A row a group: mean ± sample standard deviation over its runs. */
export const groupTable = ({ groups }: Comparison): ComparisonTable => ({
  head: [...heads.who, 'runs', ...heads.what],
  rows: groups.map((group) => [
    group.method,
    group.student,
    group.teacher,
    group.differs.join(' ') || '-',
    String(group.runs.length),
    ...measures.map((measure) => statisticText(group[measure])),
  ]),
});

/** The comparison with the curves of all runs over each other, as the text of an HTML file that asks nothing of any network. */
export function comparisonPage(records: readonly RunRecords[]): string {
  const comparison = compareRuns(records);
  const runs = runTable(comparison);
  const groups = groupTable(comparison);
  const labelled = records.map((run, index) => ({ label: comparison.runs[index]?.run ?? run.name, run }));
  const body = html`<h1>Comparison of ${records.length} runs</h1>
<section><h2>Mean ± sample standard deviation over seeds</h2>${tableOf(groups.head, groups.rows, 'groups')}</section>
<section><h2>Runs</h2>${tableOf(runs.head, runs.rows, 'runs')}</section>
<section><h2>Curves</h2><div id="charts"></div></section>`;
  const title = `${records.length} runs - srrl`;
  return page({ title, body, data: comparisonCharts(labelled), script: 'drawCharts(data);' });
}
