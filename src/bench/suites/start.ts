import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../native.js';
import { mebibytesOf, trainingName, trainingOf } from '../child.js';
import { milliseconds } from '../clock.js';
import { runNode } from '../processes.js';
import type { BenchContext, Case, PeerForm, Suite } from '../suite.js';

const moduleOf = (name: string): string => JSON.stringify(pathToFileURL(join(packageRoot, 'dist', `${name}.js`)).href);

/** Programs by what they do first; bench/peers/start.py has the same. */
const programs: Record<string, string> = {
  'a first tensor': `import torch from ${moduleOf('torch')}; torch.zeros([1]);`,
  'nothing at all': '',
};

export const startSuite: Suite = {
  name: 'start',
  summary: 'a process from its start to its end; on a device, one that trains for some steps',
  peer: 'start.py',
  rounds: 7,
  cases: (context) => (context.device === 'cpu' ? ofCpu() : ofGpu(context)),
};

const ofCpu = (): Case[] =>
  Object.entries(programs).map(([name, program]) => ({
    name,
    unit: 'ms',
    better: 'lower',
    peers: [{ name: 'Python', variant: name }],
    open: () => ({
      question: {},
      measure: () => milliseconds(() => runNode(['--input-type=module', '--eval', program])),
    }),
  }));

const peers: readonly PeerForm[] = [
  { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
  { name: 'whole step in one CUDA graph', variant: 'graph' },
];

/** Cases on a GPU; our side captures its third step. */
const ofGpu = (context: BenchContext): Case[] =>
  [1, 5].map((steps) => ({
    name: `${trainingName(context)}, to the end of step ${steps}`,
    unit: 'ms',
    better: 'lower',
    peers,
    rounds: 1,
    open() {
      const { question, task } = trainingOf(context, { steps });
      return { question, measure: () => milliseconds(() => mebibytesOf(task)) };
    },
  }));
