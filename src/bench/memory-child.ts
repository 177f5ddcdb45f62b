/** A child process whose memory is measured: runs the task in its first argument, in JSON, and prints MiB. */
import { readFileSync } from 'node:fs';
import { native } from '../native.js';
import { deviceMemory, emptyCache, keep, scope, functions as torch } from '../tensor/index.js';
import { chooseAlgorithms } from '../train/algorithms.js';
import type { Pair } from './pairs.js';
import type { Precision } from './suite.js';
import { type Kind, openTraining } from './training.js';

/** Peak resident memory; peak device memory of tensors; device memory that the process holds at the end. */
export type Count = 'resident' | 'allocated' | 'held';

interface Train {
  pair: Pair;
  kind: Kind;
  folder: string;
  device: string;
  precision: Precision;
  steps: number;
  /** How often the training runs. */
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
 * Returns the peak resident set so far, in MiB. Linux resets VmHWM when a program starts; the value of Node.js may be
 * that of its parent process.
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

/** Runs small operations in scopes of 1,000, or without scopes but awaiting a turn of the event loop every 1,000. */
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
