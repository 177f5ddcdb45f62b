import { writeFileAtomic } from '../../atomic.js';
import { baselineOf, compareWith, readBaseline, type Verdict, writeBaseline } from '../../bench/baseline.js';
import { Budget } from '../../bench/budget.js';
import { environment } from '../../bench/environment.js';
import { type BenchOptions, runSuite, type SuiteResult } from '../../bench/harness.js';
import { bestText, cpuOnlyText, environmentText, suiteText } from '../../bench/report.js';
import type { Suite } from '../../bench/suite.js';
import { suites } from '../../bench/suites/index.js';
import { BenchError, ConfigError, messageOf } from '../../errors.js';
import { z } from '../../options.js';
import { table } from '../../report/terminal.js';
import { didYouMean } from '../../suggest.js';
import { deviceNamed } from '../../tensor/index.js';
import { defineCommand } from '../command.js';

const names = suites.map(({ name }) => name);

const options = z.strictObject({
  against: z.enum(['pytorch']).optional().describe('measure the same work in PyTorch, in turns'),
  python: z.string().optional().describe('Python with torch; default: SRRL_PYTHON, or python3'),
  compiled: z
    .boolean()
    .default(false)
    .describe('also measure torch.compile, which needs a C++ compiler and takes minutes'),
  rounds: z.int().min(1).optional().describe("measurements of each side; default: the suite's"),
  threads: z.int().min(1).optional().describe('threads of operators on both sides; default: all cores'),
  device: z.string().default('cpu').describe('where both sides do their work, such as cuda'),
  precision: z.enum(['float32', 'bfloat16']).default('float32').describe('of steps and forwards, by autocast'),
  budget: z
    .number()
    .positive()
    .optional()
    .describe('minutes for all suites; cases that do not fit are left out. Default: 6 on a device, else no limit'),
  only: z.string().optional().describe('only cases whose name contains this text'),
  photos: z
    .string()
    .optional()
    .describe('image folder (train/, val/) for the suites loader and predict, instead of synthetic photos'),
  results: z.string().optional().describe('file for all samples as JSON, rewritten after each suite'),
  save: z.string().optional().describe('file for the ratios, as a baseline'),
  check: z.string().optional().describe('baseline to compare with; fail if a ratio is worse by more than its spread'),
  json: z.boolean().default(false).describe('print the result as JSON'),
});

export const benchCommand = defineCommand({
  name: 'bench',
  summary: 'measure speed and memory here, alone or against PyTorch',
  arguments: [{ syntax: '[suite...]', description: `${names.join(', ')}; default: all` }],
  options,
  examples: [
    'srrl bench ops',
    'srrl bench step --against pytorch --python .venv/bin/python',
    'srrl bench --against pytorch --check bench/baseline.json',
    'srrl bench --device cuda --precision bfloat16 --against pytorch --compiled --results gpu.json',
  ],
  async run({ json, save, check, results: file, budget, ...given }, chosen) {
    if (given.against === undefined && (save ?? check) !== undefined)
      throw new ConfigError('--save and --check are about ratios: they need --against pytorch.');
    const wanted = chosenSuites(chosen);
    const baseline = check === undefined ? undefined : readBaseline(check);
    const facts = environment();
    const say = json ? () => {} : (text: string) => console.log(text);
    say(environmentText(facts));
    const options = benchOptions(given, json);
    const isLeftOut = ({ cpuOnly }: Suite) => options.device !== 'cpu' && cpuOnly !== undefined;
    const [running, leftOut] = [wanted.filter((suite) => !isLeftOut(suite)), wanted.filter(isLeftOut)];
    if (leftOut.length > 0) say(cpuOnlyText(leftOut, options.device));
    const limit = budgetOf(budget, options.device);
    const failures: string[] = [];
    const failed = (name: string, error: unknown) => failures.push(`${name}: ${messageOf(error)}`);
    const results: SuiteResult[] = [];
    for (const [i, suite] of running.entries()) {
      const deadline = limit?.deadlineOf(suite, running.slice(i + 1));
      const result = await runSuite(suite, { ...options, failed, ...(deadline !== undefined && { deadline }) });
      results.push(result);
      say(`\n${suiteText(suite, result)}`);
      if (file !== undefined) writeFileAtomic(file, JSON.stringify({ environment: facts, suites: results, failures }));
    }
    const verdicts = baseline && compareWith(baseline, results);
    if (json)
      console.log(JSON.stringify({ environment: facts, suites: results, failures, ...(verdicts && { verdicts }) }));
    const best = bestText(results);
    if (best !== undefined) say(`\n${best}`);
    if (verdicts) say(verdictTable(verdicts));
    if (save !== undefined) writeBaseline(save, baselineOf(facts, results));
    if (failures.length > 0) throw new BenchError(`Not measured: ${failures.join('\n')}`);
    if (verdicts) judge(verdicts, check as string);
  },
});

/** Returns the named suites in their usual order; all if none is named. */
function chosenSuites(chosen: readonly string[]): readonly Suite[] {
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new ConfigError(
      `There is no suite '${unknown}'; there are ${names.join(', ')}.${didYouMean(unknown, names)}`,
    );
  return suites.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
}

/** The default time budget on a device, in minutes. */
const minutesOnDevice = 6;

function budgetOf(minutes: number | undefined, device: string): Budget | undefined {
  const chosen = minutes ?? (device === 'cpu' ? undefined : minutesOnDevice);
  return chosen === undefined ? undefined : new Budget(chosen);
}

function benchOptions(
  given: Omit<z.output<typeof options>, 'json' | 'budget' | 'results'>,
  quiet: boolean,
): BenchOptions & { device: string } {
  const { against, python = process.env.SRRL_PYTHON ?? 'python3', rounds, threads, only, photos, compiled } = given;
  const { device, precision } = given;
  return {
    compiled,
    device: deviceNamed(device),
    precision,
    ...(against !== undefined && { python }),
    ...(rounds !== undefined && { rounds }),
    ...(threads !== undefined && { threads }),
    ...(only !== undefined && { only }),
    ...(photos !== undefined && { photos }),
    ...(!quiet && { progress: (text: string) => console.error(text) }),
  };
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const text = (value: number | undefined) => value?.toFixed(2) ?? '';
  const rows = verdicts.map(({ key, now, before, allowed, worse }) => [
    key,
    text(now),
    before === undefined ? 'new' : text(before),
    text(allowed),
    worse ? 'WORSE' : '',
  ]);
  return table(['ratio', 'now', 'baseline', 'allowed', ''], rows);
}

/** Throws BenchError if a ratio became worse, or nothing was compared. */
function judge(verdicts: readonly Verdict[], file: string): void {
  const worse = verdicts.filter((verdict) => verdict.worse);
  if (worse.length > 0) throw new BenchError(`Worse than ${file}: ${worse.map(({ key }) => key).join('; ')}.`);
  if (!verdicts.some(({ before }) => before !== undefined))
    throw new BenchError(`None of the measured ratios is in ${file}: nothing was compared.`);
}
