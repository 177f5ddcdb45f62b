/**
 * Ratios that were kept, and whether new ones have become worse. Seconds differ between machines; ratios do so less.
 */
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomic.js';
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { z } from '../options.js';
import { srrlCommand } from '../shell.js';
import type { Environment } from './environment.js';
import type { SuiteResult } from './harness.js';

/** Below this, two runs on a quiet machine differ. */
const leastSpread = 0.05;
/** Of the ratio: two runs of an hour differ by more than the rounds of one. */
const leastShare = 0.15;

const baselineSchema = z.strictObject({
  /** Where they were measured, for people. */
  environment: z.record(z.string(), z.unknown()),
  /** By `suite / case / form of the peer`: our cost to theirs, and how much worse it may become. */
  ratios: z.record(z.string(), z.strictObject({ ratio: z.number().positive(), spread: z.number().positive() })),
});
export type Baseline = z.output<typeof baselineSchema>;

const round = (value: number): number => Number(value.toFixed(3));

export function baselineOf(environment: Environment, results: readonly SuiteResult[]): Baseline {
  const ratios: Baseline['ratios'] = {};
  for (const [key, { median, quartiles }] of measuredRatios(results)) {
    const [low, high] = quartiles;
    ratios[key] = { ratio: round(median), spread: round(Math.max(high - low, leastSpread, leastShare * median)) };
  }
  return { environment: { ...environment }, ratios };
}

function* measuredRatios(results: readonly SuiteResult[]) {
  for (const { suite, cases } of results) {
    for (const { name, peers } of cases)
      for (const { name: form, ratio } of peers) if (ratio) yield [`${suite} / ${name} / ${form}`, ratio] as const;
  }
}

export function writeBaseline(file: string, baseline: Baseline): void {
  writeFileAtomic(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

/** Throws FileError where the file is not a baseline. */
export function readBaseline(file: string): Baseline {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const parsed = baselineSchema.safeParse(content);
    if (parsed.success) return parsed.data;
    throw new FileError(problemIn(baselineSchema, content, parsed.error));
  } catch (error) {
    throw new FileError(
      `${file} is not a baseline: ${messageOf(error).split('\n')[0]}\nMake one with: ${srrlCommand('bench', '--against', 'pytorch', '--save', file)}`,
      { cause: error },
    );
  }
}

/** What was found of one ratio. */
export interface Verdict {
  key: string;
  now: number;
  /** Absent where the baseline does not have it. */
  before?: number;
  allowed?: number;
  worse: boolean;
}

/** A verdict on every ratio that was measured; what was not measured is not judged. */
export function compareWith({ ratios }: Baseline, results: readonly SuiteResult[]): Verdict[] {
  return [...measuredRatios(results)].map(([key, { median: now }]) => {
    const known = ratios[key];
    if (!known) return { key, now, worse: false };
    const allowed = known.ratio + known.spread;
    return { key, now, before: known.ratio, allowed, worse: now > allowed };
  });
}
