import { native } from '../../native.js';
import { ledgerOf } from '../ledger.js';
import { type Pair, pairName, pairs, tinyPair } from '../pairs.js';
import { type BenchContext, type Case, milliseconds, type PeerForm, type Suite } from '../suite.js';
import { firstTerms, type Kind, kinds, openTraining, writeStart } from '../training.js';

/** The peers have their batches ready in memory; ours makes them within the step. */
const peers: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last, fused SGD', variant: 'channels_last' },
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, max-autotune', variant: 'max-autotune', compiled: true },
];

/** Only here: CUDA graphs, by torch.compile and by hand around the whole step with its update. */
const onGpu: readonly PeerForm[] = [
  { name: 'torch.compile, reduce-overhead', variant: 'reduce-overhead', compiled: true },
  { name: 'whole step in one CUDA graph', variant: 'graph' },
  { name: 'compiled, whole step in one CUDA graph', variant: 'compiled-graph', compiled: true },
];

/** A pair with each number of images that it is measured with. */
function sized(pair: Pair, { tiny, device }: BenchContext): Pair[] {
  if (tiny) return [tinyPair(pair)];
  return device === 'cpu' ? [pair] : pair.gpuBatchSizes.map((batchSize) => ({ ...pair, batchSize }));
}

export const stepSuite: Suite = {
  name: 'step',
  summary: 'one training step: forward, losses, backward, update',
  peer: 'step.py',
  rounds: 5,
  cases: (context) =>
    pairs
      .flatMap((pair) => sized(pair, context))
      .flatMap((pair) =>
        (Object.keys(kinds) as Kind[]).map((kind): Case => {
          const { tiny, folder, device, precision } = context;
          const place = { folder, device, precision };
          // Ratios of other devices and precisions are others.
          const way = [device, precision]
            .filter((word) => word !== 'cpu' && word !== 'float32')
            .map((word) => `, ${word}`);
          if (device !== 'cpu') way.push(`, ${pair.batchSize} images`);
          // A GPU has done a step long after it was asked to.
          const steps = device === 'cpu' || tiny ? 1 : 20;
          return {
            name: `${pairName(pair)}, ${kinds[kind]}${way.join('')}`,
            unit: 'images/s',
            better: 'higher',
            peers: device === 'cpu' ? peers : [...peers, ...onGpu],
            async open() {
              const question = { ...writeStart(pair, kind, place), steps };
              const training = await openTraining(pair, kind, place);
              return {
                question,
                check: () => firstTerms(training),
                ...(precision === 'bfloat16' && { tolerance: 0.05 }),
                async measure() {
                  const spent = await milliseconds(async () => {
                    for (let step = 0; step < steps; step++) await training.step();
                    native().synchronize();
                  });
                  return (1000 * steps * pair.batchSize) / spent;
                },
                // The host's clock does not see where a GPU's time goes.
                ...(device === 'cpu' && { ledger: () => ledgerOf(training, tiny ? 1 : 4) }),
                dispose: training.dispose,
              };
            },
          };
        }),
      ),
};
