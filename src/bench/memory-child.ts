/** A process of its own whose memory is measured: does what the first argument says, in JSON, and prints its peak in MiB. */
import { readFileSync } from 'node:fs';
import { native } from '../native.js';
import { keep, scope, functions as torch } from '../tensor/index.js';
import type { Pair } from './pairs.js';
import { type Kind, onProcessor, openTraining } from './training.js';

interface Train {
  pair: Pair;
  kind: Kind;
  folder: string;
  steps: number;
  threads: number;
}

interface Add {
  count: number;
  scoped: boolean;
}

export type MemoryTask = { training: Train } | { additions: Add };

/** The largest resident set so far. Linux's own count begins anew with a program; what node reports may be that of the process it came from. */
function peakMiB(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  return Number(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s*(\d+)/)?.[1]) / 1024;
}

async function train({ pair, kind, folder, steps, threads }: Train): Promise<void> {
  native().setNumThreads(threads);
  const training = await openTraining(pair, kind, { folder, ...onProcessor });
  for (let step = 0; step < steps; step++) await training.step();
  training.dispose();
}

/** Small operations, in scopes of 1,000, or without any and an awaited turn every 1,000. */
async function add({ count, scoped }: Add): Promise<void> {
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
}

const task = JSON.parse(process.argv[2] as string) as MemoryTask;
if ('training' in task) await train(task.training);
else await add(task.additions);
console.log(peakMiB());
