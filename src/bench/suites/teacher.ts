import { join } from 'node:path';
import { Loader } from '../../data/loader.js';
import { ModelTeacher } from '../../distill/model-teacher.js';
import { savePth } from '../../files/index.js';
import type { Batch, Features } from '../../flow.js';
import { noGrad, scope } from '../../tensor/index.js';
import { trainOptions } from '../../train/index.js';
import { targetsOf, teacherOptions } from '../../train/targets.js';
import { noise, type Pair, pairs, settledTeacher, tinyPair } from '../pairs.js';
import { type Case, milliseconds, type OpenCase, type PeerForm, type Suite } from '../suite.js';

const peers: readonly PeerForm[] = [
  { name: 'eager, NCHW', variant: 'eager' },
  { name: 'eager, channels_last', variant: 'channels_last' },
  { name: 'jit.optimize_for_inference, channels_last', variant: 'frozen' },
  { name: 'torch.compile', variant: 'compile', compiled: true },
  { name: 'torch.compile, max-autotune', variant: 'max-autotune', compiled: true },
];

export const teacherSuite: Suite = {
  name: 'teacher',
  summary: 'features and logits of the frozen teacher for a batch, in the form that a run uses',
  peer: 'teacher.py',
  rounds: 5,
  cases: ({ tiny, folder }) =>
    pairs.map((usual): Case => {
      const pair = tiny ? tinyPair(usual) : usual;
      return { name: pair.teacher, unit: 'images/s', better: 'higher', peers, open: () => open(pair, folder) };
    }),
};

function open(pair: Pair, folder: string): OpenCase {
  const data = noise(pair);
  const { batchSize } = pair;
  const loader = new Loader(data, 'train', { batchSize });
  loader.begin(0);
  // The peer is given what our loader makes of the images.
  const batch = scope((): Batch => loader.batch(0));
  loader.dispose();
  const teacher = ModelTeacher.of(settledTeacher(pair.teacher, pair.numClasses, batch.images), pair.teacher);
  const file = join(folder, `${pair.teacher}.pth`);
  scope(() => savePth(file, { images: batch.images, teacher: teacher.model.stateDict() }));
  const options = trainOptions.parse({ batchSize });
  const targets = targetsOf({ teacher, data, options, teacherOptions: teacherOptions.parse({}) });
  const forward = <T>(use: (features: Features) => T) => scope(() => noGrad(() => use(targets.of(batch))));
  return {
    question: { ...pair, file },
    // Mean magnitudes: plain means nearly cancel out, and would compare rounding.
    check: () =>
      forward(({ pooled, logits }) => ({
        feature: Number(pooled.abs().mean().item()),
        logits: Number(logits.abs().mean().item()),
        'logits of the last image': Number(logits.select(0, -1).abs().mean().item()),
      })),
    measure: async () => (1000 * batchSize) / (await milliseconds(() => forward(() => undefined))),
    dispose() {
      targets.dispose();
      teacher.dispose();
      for (const tensor of [batch.images, batch.labels, batch.indices]) tensor.dispose();
    },
  };
}
