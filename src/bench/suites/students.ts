import type { Dataset, ImageSet } from '../../data/dataset.js';
import { openDataset } from '../../data/datasets/index.js';
import { ModelTeacher } from '../../distill/model-teacher.js';
import { scope, functions as torch } from '../../tensor/index.js';
import { type DistillSetup, distill, distillTogether, type TrainEvent } from '../../train/index.js';
import { settledTeacher } from '../pairs.js';
import type { Case, OpenCase, Suite } from '../suite.js';

const seeds = [0, 1, 2, 3];

export const studentsSuite: Suite = {
  name: 'students',
  summary:
    'the throughput of students that are trained from one pass through their teacher, to that of runs of their own',
  rounds: 5,
  cases: ({ tiny }): Case[] => [
    {
      name: `${seeds.length} wrn_16_2 from one wrn_40_2`,
      unit: 'times',
      better: 'higher',
      peers: [],
      open: () => open(tiny),
    },
  ],
};

async function open(tiny: boolean): Promise<OpenCase> {
  const [batchSize, epochs] = tiny ? [4, 1] : [64, 4];
  const data = withFewTests(await openDataset(`shapes:${tiny ? 12 : 192}`));
  const teacher = scope(() => {
    const images = torch.randn([16, 3, 32, 32]).contiguous({ memoryFormat: 'channelsLast' });
    return ModelTeacher.of(settledTeacher('wrn_40_2', data.classes.length, images), 'wrn_40_2');
  });
  const common = { teacher, data, student: 'wrn_16_2', batchSize, epochs, evaluateEvery: epochs, lr: 0.001 };
  const setups = seeds.map((seed): DistillSetup => ({ ...common, seed, dataSeed: 0 }));
  return {
    question: {},
    async measure() {
      let alone = 0;
      for (const setup of setups) alone += (await stepTime(distill(setup), 1)) / setups.length;
      const named = Object.fromEntries(setups.map((setup) => [`seed ${setup.seed}`, setup]));
      return alone / (await stepTime(distillTogether(named), setups.length));
    },
    dispose: () => teacher.dispose(),
  };
}

/** Milliseconds a student's step, from the end of the first round of steps to that of the last. */
async function stepTime(run: AsyncIterable<TrainEvent>, students: number): Promise<number> {
  const ends: number[] = [];
  for await (const event of run) if (event.type === 'step') ends.push(performance.now());
  const [first = 0, last = 0] = [ends[students - 1], ends.at(-1)];
  return (last - first) / (ends.length - students);
}

/** The evaluation is in no step, and only has to be there. */
function withFewTests(data: Dataset): Dataset {
  const { images, labels } = data.test as ImageSet;
  const count = Math.min(24, labels.length);
  const size = images.length / labels.length;
  return { ...data, test: { images: images.subarray(0, count * size), labels: labels.subarray(0, count) } };
}
