import { milliseconds } from '../clock.js';
import { gpuForms } from '../forms.js';
import { ledgerOf } from '../ledger.js';
import { type Pair, pairName, pairs } from '../pairs.js';
import { caseSuffix, sized, stepsOf, toleranceOf } from '../sizes.js';
import type { BenchContext, Case, OpenCase, PeerForm, Suite } from '../suite.js';
import { firstTerms, type Kind, kinds, openTraining, writeStart } from '../training.js';

/** The peers have their batches ready in memory; our side makes them within the step. */
const eager: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
];
const peers: readonly PeerForm[] = [
  ...eager,
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, max-autotune', variant: 'max-autotune', compiled: true },
];

export const stepSuite: Suite = {
  name: 'step',
  summary: 'one training step: forward, losses, backward, update',
  peer: 'step.py',
  rounds: 5,
  weight: 8,
  cases(context) {
    const all = pairs.flatMap((pair) => sized(pair, context));
    const ofCpu = () => all.flatMap((pair) => (Object.keys(kinds) as Kind[]).map((kind) => [pair, kind] as const));
    // The most important cases come first, because a time budget may leave out the last.
    const ofGpu = () => (['live', 'ce', 'cached'] as const).flatMap((kind) => all.map((pair) => [pair, kind] as const));
    return (context.device === 'cpu' ? ofCpu() : ofGpu()).map(([pair, kind]) => caseOf(pair, kind, context));
  },
};

const caseOf = (pair: Pair, kind: Kind, context: BenchContext): Case => ({
  name: `${pairName(pair)}, ${kinds[kind]}${caseSuffix(context, pair.batchSize)}`,
  unit: 'images/s',
  better: 'higher',
  peers: context.device === 'cpu' ? peers : gpuForms('whole step', eager),
  open: () => open(pair, kind, context),
});

async function open(pair: Pair, kind: Kind, context: BenchContext): Promise<OpenCase> {
  const { device, tiny } = context;
  const steps = stepsOf(context);
  const question = { ...writeStart(pair, kind, context), steps };
  const training = await openTraining(pair, kind, context);
  const several = async () => {
    for (let step = 0; step < steps; step++) await training.step();
  };
  return {
    question,
    check: () => firstTerms(training),
    ...toleranceOf(context),
    measure: async () => (1000 * steps * pair.batchSize) / (await milliseconds(several, device)),
    // The host's clock does not see where a GPU's time goes.
    ...(device === 'cpu' && { ledger: () => ledgerOf(training, tiny ? 1 : 4) }),
    dispose: training.dispose,
  };
}
