import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { packageRoot } from '../../native.js';
import { distill } from '../../train/index.js';
import type { Case, Suite } from '../suite.js';

/** Percentiles of the delays of one run. */
const shown = { median: 50, p99: 99, highest: 100 };

export const eventLoopSuite: Suite = {
  name: 'event-loop',
  summary: "how long a program's event loop is held up while distill() trains in its thread",
  rounds: 1,
  cpuOnly: 'its training is so small that only the CPU matters',
  cases: ({ tiny }) =>
    Object.entries(shown).map(
      ([name, percentile]): Case => ({
        name,
        unit: 'ms',
        better: 'lower',
        peers: [],
        open: () => ({ question: {}, measure: async () => delayWhile(tiny ? 24 : 600, percentile) }),
      }),
    ),
};

async function delayWhile(images: number, percentile: number): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const teacher = join(packageRoot, 'assets/shapes-teacher.pt');
  const run = distill({ data: `shapes:${images}`, teacher, student: 'resnet8', epochs: 1, batchSize: 12 });
  delay.enable();
  for await (const _event of run);
  delay.disable();
  return delay.percentile(percentile) / 1e6;
}
