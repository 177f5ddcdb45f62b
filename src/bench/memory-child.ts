/** A process of its own whose memory is measured: does what the first argument says, in JSON, and prints MiB. */
import { readFileSync } from 'node:fs';
import { native } from '../native.js';
import { deviceMemory, emptyCache, keep, scope, functions as torch } from '../tensor/index.js';
import { chooseAlgorithms } from '../train/algorithms.js';
import type { Pair } from './pairs.js';
import type { Precision } from './suite.js';
import { type Kind, openTraining } from './training.js';

/**
 * The peak of resident memory; the peak of what tensors took on the device; what the process holds of it at the end.
 */
export type Count = 'resident' | 'allocated' | 'held';

interface Train {
  pair: Pair;
  kind: Kind;
  folder: string;
  device: string;
  precision: Precision;
  steps: number;
  /** How many times over. */
  runs: number;
  threads: number;
  count: Count;
}

interface Add {
  count: number;
  scoped: boolean;
}

export type MemoryTask = { training: Train } | { additions: Add };

const mebibytes = (bytes: number): number => bytes / 2 ** 20;

/**
 * The largest resident set so far. Linux's own count starts again with a program; what node reports may be that of the
 * process it came from.
 */
function residentMiB(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  return Number(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s*(\d+)/)?.[1]) / 1024;
}

async function train({ pair, kind, steps, runs, threads, count, ...place }: Train): Promise<number> {
  const { device } = place;
  native().setNumThreads(threads);
  chooseAlgorithms(device, false);
  for (let run = 0; run < runs; run++) {
    const training = await openTraining(pair, kind, place);
    for (let step = 0; step < steps; step++) await training.step();
    native().synchronize();
    training.dispose();
    if (device !== 'cpu') emptyCache(device);
  }
  if (count === 'resident') return residentMiB();
  const { peakAllocated, reserved } = deviceMemory(device);
  return mebibytes(count === 'allocated' ? peakAllocated : reserved);
}

/** Small operations, in scopes of 1,000, or without any and an awaited turn every 1,000. */
async function add({ count, scoped }: Add): Promise<number> {
  const x = scope(() => keep(torch.randn([8, 8])));
  const thousand = () => {
    for (let i = 0; i < 1000; i++) x.add(x);
  };
  for (let done = 0; done < count; done += 1000) {
    if (scoped) scope(thousand);
    else {
      thousand();
      await new Promise(setImmediate);
    }
  }
  return residentMiB();
}

const task = JSON.parse(process.argv[2] as string) as MemoryTask;
console.log('training' in task ? await train(task.training) : await add(task.additions));
