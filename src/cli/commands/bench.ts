import { baselineOf, compareWith, readBaseline, type Verdict, writeBaseline } from '../../bench/baseline.js';
import { environment } from '../../bench/environment.js';
import { type BenchOptions, runSuite, type SuiteResult } from '../../bench/harness.js';
import { environmentText, suiteText } from '../../bench/report.js';
import { suites } from '../../bench/suites/index.js';
import { BenchError, ConfigError } from '../../errors.js';
import { z } from '../../options.js';
import { table } from '../../report/terminal.js';
import { didYouMean } from '../../suggest.js';
import { deviceNamed } from '../../tensor/index.js';
import { defineCommand } from '../command.js';

const names = suites.map(({ name }) => name);

const options = z.strictObject({
  against: z.enum(['pytorch']).optional().describe('measure the same work in PyTorch, alternating'),
  python: z.string().optional().describe('a python with torch; default SRRL_PYTHON, or python3'),
  compiled: z.boolean().default(false).describe('also torch.compile, which needs a C++ compiler and minutes'),
  rounds: z.int().min(1).optional().describe("measurements of each side; default: the suite's"),
  threads: z.int().min(1).optional().describe('threads of operators on both sides; default: all cores'),
  device: z.string().default('cpu').describe('where the steps of the suite step run, such as cuda'),
  precision: z.enum(['float32', 'bfloat16']).default('float32').describe('of their forward, by autocast'),
  only: z.string().optional().describe('only cases with this in their name'),
  photos: z
    .string()
    .optional()
    .describe('image folder (train/, val/) for the suites loader and predict, in place of drawn photos'),
  save: z.string().optional().describe('file for the ratios, as a baseline'),
  check: z.string().optional().describe('baseline; fail where a ratio is worse than it by more than its spread'),
  json: z.boolean().default(false).describe('result as JSON on standard output'),
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
  ],
  async run({ json, save, check, ...given }, chosen) {
    if (given.against === undefined && (save ?? check) !== undefined)
      throw new ConfigError('--save and --check are about ratios: they need --against pytorch.');
    const unknown = chosen.find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new ConfigError(
        `There is no suite '${unknown}'; there are ${names.join(', ')}.${didYouMean(unknown, names)}`,
      );
    const baseline = check === undefined ? undefined : readBaseline(check);
    const facts = environment();
    if (!json) console.log(environmentText(facts));
    const results: SuiteResult[] = [];
    for (const suite of suites.filter(({ name }) => chosen.length === 0 || chosen.includes(name))) {
      const result = await runSuite(suite, benchOptions(given, json));
      results.push(result);
      if (!json) console.log(`\n${suiteText(suite, result)}`);
    }
    const verdicts = baseline && compareWith(baseline, results);
    if (json) console.log(JSON.stringify({ environment: facts, suites: results, ...(verdicts && { verdicts }) }));
    else if (verdicts) console.log(verdictTable(verdicts));
    if (save !== undefined) writeBaseline(save, baselineOf(facts, results));
    if (verdicts) judge(verdicts, check as string);
  },
});

function benchOptions(given: Omit<z.output<typeof options>, 'json'>, quiet: boolean): BenchOptions {
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

/** Throws BenchError where something has become worse, or nothing was compared. */
function judge(verdicts: readonly Verdict[], file: string): void {
  const worse = verdicts.filter((verdict) => verdict.worse);
  if (worse.length > 0) throw new BenchError(`Worse than ${file}: ${worse.map(({ key }) => key).join('; ')}.`);
  if (!verdicts.some(({ before }) => before !== undefined))
    throw new BenchError(`None of the measured ratios is in ${file}: nothing was compared.`);
}
