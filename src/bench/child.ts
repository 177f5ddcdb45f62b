/** Runs trainings and other tasks in child processes: src/bench/memory-child.ts. */
import { join } from 'node:path';
import { packageRoot } from '../native.js';
import type { Count, MemoryTask } from './memory-child.js';
import { pairName, pairs, tinyPair } from './pairs.js';
import { runNode } from './processes.js';
import { caseSuffix } from './sizes.js';
import type { BenchContext } from './suite.js';
import { kinds, onProcessor, writeStart } from './training.js';

const child = join(packageRoot, 'dist/bench/memory-child.js');

/** Returns the MiB that a child process prints for the task. */
export const mebibytesOf = async (task: MemoryTask): Promise<number> =>
  Number(await runNode([child, JSON.stringify(task)]));

/** The number of steps of a training, and how often it runs. */
export interface Extent {
  steps: number;
  runs?: number;
}

const pairOf = ({ tiny }: BenchContext) => {
  const usual = pairs[0] as (typeof pairs)[0];
  return tiny ? tinyPair(usual) : usual;
};

/** Returns the name of a case with {@link trainingOf}. */
export const trainingName = (context: BenchContext): string =>
  `${pairName(pairOf(context))}, ${kinds.live}${caseSuffix(context)}`;

/** Returns a training of the first pair as a task, and the question for the peer. CPU memory is that of float32. */
export function trainingOf(context: BenchContext, { steps, runs = 1 }: Extent, count?: Count) {
  const { folder, threads, device, precision } = context;
  const pair = pairOf(context);
  const place = { folder, ...(device === 'cpu' ? onProcessor : { device, precision }) };
  const question = { ...writeStart(pair, 'live', place), steps, runs, threads, count: count ?? null };
  const training = { pair, kind: 'live' as const, ...place, steps, runs, threads, count: count ?? 'resident' };
  return { question, task: { training } satisfies MemoryTask };
}
