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
  const [batchSize, epochs] = tiny ? [6, 2] : [64, 5];
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
      for (const setup of setups) alone += (await stepTime(distill(setup))) / setups.length;
      const named = Object.fromEntries(setups.map((setup) => [`seed ${setup.seed}`, setup]));
      return alone / (await stepTime(distillTogether(named)));
    },
    dispose: () => teacher.dispose(),
  };
}

/** Milliseconds a student's step after the first epoch, in which memory is taken and the teacher's form is looked for. */
async function stepTime(run: AsyncIterable<TrainEvent>): Promise<number> {
  let [first, last, steps] = [0, 0, 0];
  for await (const event of run) {
    if (event.type !== 'step') continue;
    last = performance.now();
    if (event.epoch > 1) steps++;
    else first = last;
  }
  return (last - first) / steps;
}

/** The evaluation is in no step, and only has to be there. */
function withFewTests(data: Dataset): Dataset {
  const { images, labels } = data.test as ImageSet;
  const count = Math.min(24, labels.length);
  const size = images.length / labels.length;
  return { ...data, test: { images: images.subarray(0, count * size), labels: labels.subarray(0, count) } };
}
