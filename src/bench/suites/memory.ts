import { mebibytesOf, trainingName, trainingOf } from '../child.js';
import { gpuForms } from '../forms.js';
import type { BenchContext, Case, PeerForm, Suite } from '../suite.js';

const eager: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
];
/** Each form needs its own process, so only the fastest ones and a plain one are measured. */
const onGpu = gpuForms('whole step', eager).filter(
  ({ variant }) => variant.endsWith('graph') || variant === 'channels_last',
);

export const memorySuite: Suite = {
  name: 'memory',
  summary:
    'memory of a process that does a short run: its peak, resident or on the device; there, what is held at the end',
  peer: 'memory.py',
  rounds: 3,
  weight: 2,
  cases: (context) => (context.device === 'cpu' ? ofCpu(context) : ofGpu(context)),
};

const ofCpu = (context: BenchContext): Case[] => [
  {
    name: trainingName(context),
    unit: 'MiB',
    better: 'lower',
    peers: eager,
    open() {
      const { question, task } = trainingOf(context, { steps: context.tiny ? 1 : 6 }, 'resident');
      return { question, measure: () => mebibytesOf(task) };
    },
  },
  additionsCase(context, 'small additions, a scope every 1,000', true),
  additionsCase(context, 'small additions, no scope, a turn of the event loop every 1,000', false),
];

function additionsCase({ tiny }: BenchContext, name: string, scoped: boolean): Case {
  const count = tiny ? 2000 : 1_000_000;
  const measure = () => mebibytesOf({ additions: { count, scoped } });
  return { name, unit: 'MiB', better: 'lower', peers: [], open: () => ({ question: {}, measure }) };
}

/** The memory held at the end grows from run to run if something is not freed. */
const ofGpu = (context: BenchContext): Case[] =>
  (
    [
      ['peak', 'allocated', 1, onGpu],
      ['held after one run', 'held', 1, onGpu.filter(({ compiled }) => !compiled)],
      ['held after ten runs', 'held', 10, []],
    ] as const
  ).map(([name, count, runs, peers]) => ({
    name: `${trainingName(context)}, ${name}`,
    unit: 'MiB',
    better: 'lower',
    peers,
    rounds: 1,
    open() {
      const extent = context.tiny ? { steps: 4, runs: Math.min(runs, 2) } : { steps: 20, runs };
      const { question, task } = trainingOf(context, extent, count);
      return { question, measure: () => mebibytesOf(task) };
    },
  }));
