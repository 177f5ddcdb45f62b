/**
 * Saves ratios and checks whether new ones are worse. Ratios differ less between machines than seconds do.
 */
import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomic.js';
import { FileError, messageOf } from '../errors.js';
import { problemIn } from '../expectation.js';
import { z } from '../options.js';
import { srrlCommand } from '../shell.js';
import type { Environment } from './environment.js';
import type { SuiteResult } from './harness.js';

/** The least allowed spread: two runs on a quiet machine differ by as much. */
const leastSpread = 0.05;
/** The least spread as a share of the ratio: two runs within an hour differ by more than the rounds of one. */
const leastShare = 0.15;

const baselineSchema = z.strictObject({
  /** Where the ratios were measured, for readers only. */
  environment: z.record(z.string(), z.unknown()),
  /** By `suite / case / form of the peer`: our cost divided by theirs, and the increase that is still allowed. */
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

/** Reads a baseline. Throws FileError if the file is not one. */
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

/** The result of checking one ratio. */
export interface Verdict {
  key: string;
  now: number;
  /** Absent if the baseline does not have the ratio. */
  before?: number;
  allowed?: number;
  worse: boolean;
}

/** Returns a verdict on every measured ratio; ratios that were not measured are ignored. */
export function compareWith({ ratios }: Baseline, results: readonly SuiteResult[]): Verdict[] {
  return [...measuredRatios(results)].map(([key, { median: now }]) => {
    const known = ratios[key];
    if (!known) return { key, now, worse: false };
    const allowed = known.ratio + known.spread;
    return { key, now, before: known.ratio, allowed, worse: now > allowed };
  });
}
