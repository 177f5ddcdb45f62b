import { ledgerOf } from '../ledger.js';
import { pairName, pairs, tinyPair } from '../pairs.js';
import { type Case, milliseconds, type PeerForm, type Suite } from '../suite.js';
import { firstTerms, type Kind, kinds, openTraining, writeStart } from '../training.js';

/** The peers have their batches ready in memory; ours makes them within the step. */
const peers: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, max-autotune', variant: 'max-autotune', compiled: true },
];

export const stepSuite: Suite = {
  name: 'step',
  summary: 'one training step: forward, losses, backward, update',
  peer: 'step.py',
  rounds: 5,
  cases: ({ tiny, folder }) =>
    pairs.flatMap((usual) =>
      (Object.keys(kinds) as Kind[]).map((kind): Case => {
        const pair = tiny ? tinyPair(usual) : usual;
        return {
          name: `${pairName(pair)}, ${kinds[kind]}`,
          unit: 'images/s',
          better: 'higher',
          peers,
          async open() {
            const question = writeStart(pair, kind, folder);
            const training = await openTraining(pair, kind, folder);
            return {
              question,
              check: () => firstTerms(training),
              measure: async () => (1000 * pair.batchSize) / (await milliseconds(training.step)),
              ledger: () => ledgerOf(training, tiny ? 1 : 4),
              dispose: training.dispose,
            };
          },
        };
      }),
    ),
};
