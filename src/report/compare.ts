/** Compares runs, and groups those that differ only in their seed. */
import { basename } from 'node:path';
import { canonical, differences, type Settings, settingsOf, valuesOf, variedOptions } from './run-options.js';
import { bestEpoch, evaluatedEpochs, type RunRecords } from './run-records.js';
import { meanAndSpread } from './terminal.js';
import { type WelchTest, welchTest } from './welch.js';

/** A run as a row of a comparison. */
export interface ComparedRun {
  run: string;
  method: string;
  student: string;
  /** File name of the teacher; '-' for a run without a teacher. */
  teacher: string;
  /** Other options that differ between the runs, as `option=value`; `none` if the run does not have the option. */
  differs: string[];
  /** The same values by option; an option that the run's method does not have is absent. */
  options: Record<string, string>;
  /** Number of completed epochs. */
  epochs: number;
  seed: number | null;
  /** Percent, on the test split, of the last evaluated epoch and of the best; null if none was evaluated. */
  lastTop1: number | null;
  bestTop1: number | null;
  lastTop5: number | null;
  bestTop5: number | null;
  /** Number of the student's parameters; null if the run ended before it was known. */
  parameters: number | null;
  /** Training throughput, the mean over the epochs; null without an epoch. */
  imagesPerSecond: number | null;
  /** Seconds. */
  seconds: number;
}

/** Percent. `spread` is the sample standard deviation (divisor n - 1); null for one run. */
export interface Statistic {
  mean: number;
  spread: number | null;
}

/** Runs whose configurations differ only in the seed. */
export interface ComparedGroup {
  method: string;
  student: string;
  teacher: string;
  differs: string[];
  options: Record<string, string>;
  runs: string[];
  seeds: (number | null)[];
  lastTop1: Statistic | null;
  bestTop1: Statistic | null;
  lastTop5: Statistic | null;
  bestTop5: Statistic | null;
  parameters: number | null;
  imagesPerSecond: number | null;
}

/** Welch's t-test of the last top-1 accuracies of two groups, in percentage points; not corrected for many pairs. */
export interface Significance extends WelchTest {
  /** Names of the two groups, made of the options that differ between all groups. */
  a: string;
  b: string;
}

/** The result of {@link compareRuns}. */
export interface Comparison {
  runs: ComparedRun[];
  groups: ComparedGroup[];
  /** Every pair of groups with two runs or more each; beyond six groups, each with the best one. */
  significance: Significance[];
}

export const measures = ['lastTop1', 'bestTop1', 'lastTop5', 'bestTop5'] as const;

/**
 * Compares runs, and groups those whose configurations differ only in the seed, in the order given.
 *
 *     const { runs, groups } = compareRuns(['runs/a', 'runs/b'].map(readRun));
 */
export function compareRuns(records: readonly RunRecords[]): Comparison {
  const names = namesOf(records);
  const settings = records.map(({ config }) => settingsOf(config));
  const varied = variedOptions(settings);
  const runs = records.map((run, index) => {
    const own = settings[index] as Settings;
    return { ...describe(run, names[index] as string), ...optionsOf(own, varied) };
  });
  const grouped = new Map<string, ComparedRun[]>();
  for (const [index, { options }] of settings.entries()) {
    const { seed: _seed, ...rest } = Object.fromEntries(options);
    const key = canonical(rest);
    grouped.set(key, [...(grouped.get(key) ?? []), runs[index] as ComparedRun]);
  }
  const members = [...grouped.values()];
  const groups = members.map(groupOf);
  return { runs, groups, significance: significanceOf(groups, members) };
}

const optionsOf = (settings: Settings, varied: readonly string[]): Pick<ComparedRun, 'differs' | 'options'> => ({
  differs: differences(settings, varied),
  options: valuesOf(settings, varied),
});

function describe(run: RunRecords, name: string): Omit<ComparedRun, 'differs' | 'options'> {
  const { config, epochs, end, start } = run;
  const last = evaluatedEpochs(run).at(-1)?.test;
  const best = bestEpoch(run)?.test;
  return {
    run: name,
    method: String(config.method ?? '-'),
    student: String(config.student ?? '-'),
    teacher: config.teacher === undefined ? '-' : basename(String(config.teacher)),
    epochs: epochs.length,
    seed: typeof config.seed === 'number' ? config.seed : null,
    lastTop1: last?.top1 ?? null,
    bestTop1: best?.top1 ?? null,
    lastTop5: last?.top5 ?? null,
    bestTop5: best?.top5 ?? null,
    parameters: start?.parameters ?? null,
    imagesPerSecond: meanOf(epochs.map(({ imagesPerSecond }) => imagesPerSecond)),
    seconds: end?.seconds ?? epochs.reduce((sum, epoch) => sum + epoch.seconds, 0),
  };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function groupOf(runs: ComparedRun[]): ComparedGroup {
  const { method, student, teacher, differs, options, parameters } = runs[0] as ComparedRun;
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
    options,
    runs: runs.map(({ run }) => run),
    seeds: runs.map(({ seed }) => seed),
    lastTop1: statistic('lastTop1'),
    bestTop1: statistic('bestTop1'),
    lastTop5: statistic('lastTop5'),
    bestTop5: statistic('bestTop5'),
    parameters,
    imagesPerSecond: meanOf(runs.map((run) => run.imagesPerSecond)),
  };
}

/** The most groups for which all pairs are tested. */
const mostPaired = 6;

function significanceOf(groups: readonly ComparedGroup[], members: readonly ComparedRun[][]): Significance[] {
  const names = groupNames(groups);
  const samples = members.map((runs) => runs.flatMap(({ lastTop1 }) => lastTop1 ?? []));
  const mean = (i: number) => groups[i]?.lastTop1?.mean ?? Number.NEGATIVE_INFINITY;
  const best = groups.reduce((found, _, i) => (mean(i) > mean(found) ? i : found), 0);
  const all = groups.flatMap((_, a) => groups.slice(a + 1).map((_group, i) => [a, a + 1 + i] as const));
  const pairs = groups.length <= mostPaired ? all : groups.flatMap((_, i) => (i === best ? [] : [[best, i] as const]));
  return pairs.flatMap(([i, j]) => {
    const [a, b] = [names[i] as string, names[j] as string];
    const test = welchTest(samples[i] as number[], samples[j] as number[]);
    return test ? [{ a, b, ...test }] : [];
  });
}

/** Returns a short name for each group, made of what distinguishes the groups. */
export function groupNames(groups: readonly ComparedGroup[]): string[] {
  const columns = (['method', 'student', 'teacher'] as const).filter(
    (column) => new Set(groups.map((group) => group[column])).size > 1,
  );
  return groups.map((group) => {
    const parts = [...columns.map((column) => group[column]), ...group.differs].filter((part) => part !== '-');
    return parts.join(' ') || group.method;
  });
}

/** Returns folder names, or full paths where two folders have the same name. */
function namesOf(records: readonly RunRecords[]): string[] {
  const count = (name: string) => records.filter((other) => other.name === name).length;
  return records.map(({ name, path }) => (count(name) > 1 ? (path ?? name) : name));
}
