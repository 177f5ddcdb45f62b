import { join } from 'node:path';
import { packageRoot } from '../../native.js';
import type { MemoryTask } from '../memory-child.js';
import { type Pair, pairName, pairs, tinyPair } from '../pairs.js';
import { runNode } from '../processes.js';
import type { BenchContext, Case, OpenCase, Suite } from '../suite.js';
import { kinds, onProcessor, writeStart } from '../training.js';

const child = join(packageRoot, 'dist/bench/memory-child.js');

/** The peak of a process that does the task, MiB. */
const peakOf = async (task: MemoryTask): Promise<number> => Number(await runNode([child, JSON.stringify(task)]));

export const memorySuite: Suite = {
  name: 'memory',
  summary: 'peak resident memory of a process that does a short run',
  peer: 'memory.py',
  rounds: 3,
  cases: (context) => [
    trainingCase(context),
    additionsCase(context, 'small additions, a scope every 1,000', true),
    additionsCase(context, 'small additions, no scope, a turn of the event loop every 1,000', false),
  ],
};

function trainingCase(context: BenchContext): Case {
  const usual = pairs[0] as Pair;
  const pair = context.tiny ? tinyPair(usual) : usual;
  return {
    name: `${pairName(pair)}, ${kinds.live}`,
    unit: 'MiB',
    better: 'lower',
    peers: [
      { name: 'eager, NCHW', variant: 'eager' },
      { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
    ],
    open: () => openMemory(pair, context),
  };
}

function openMemory(pair: Pair, { folder, threads, tiny }: BenchContext): OpenCase {
  const steps = tiny ? 1 : 6;
  const question = writeStart(pair, 'live', { folder, ...onProcessor });
  return {
    question: { ...question, steps, threads },
    measure: () => peakOf({ training: { pair, kind: 'live', folder, steps, threads } }),
  };
}

function additionsCase({ tiny }: BenchContext, name: string, scoped: boolean): Case {
  const count = tiny ? 2000 : 1_000_000;
  const measure = () => peakOf({ additions: { count, scoped } });
  return { name, unit: 'MiB', better: 'lower', peers: [], open: () => ({ question: {}, measure }) };
}
