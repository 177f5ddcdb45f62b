import type { Dataset, ImageSet } from '../../data/dataset.js';
import { ModelTeacher } from '../../distill/model-teacher.js';
import { scope, functions as torch } from '../../tensor/index.js';
import { type DistillSetup, distill, distillTogether, type TrainEvent } from '../../train/index.js';
import { startClock } from '../clock.js';
import { noise, type Pair, pairs, settledTeacher } from '../pairs.js';
import { caseSuffix, sized, stepsOf } from '../sizes.js';
import type { BenchContext, Case, PeerForm, Suite } from '../suite.js';
import { writeStart } from '../training.js';

/** The default number of students. */
const usualCount = 4;

const eager: readonly PeerForm[] = [
  { name: 'eager, channels_last, fused SGD, one pass through the teacher', variant: 'together channels_last' },
  { name: 'eager, channels_last, fused SGD, one after the other', variant: 'alone channels_last' },
];
const onGpu: readonly PeerForm[] = [
  { name: 'compiled, all students in one CUDA graph', variant: 'together compiled-graph', compiled: true },
  { name: 'all students in one CUDA graph', variant: 'together graph' },
  { name: 'one after the other, compiled, in CUDA graphs', variant: 'alone compiled-graph', compiled: true },
  { name: 'one after the other, in CUDA graphs', variant: 'alone graph' },
  ...eager,
];

export const studentsSuite: Suite = {
  name: 'students',
  summary:
    'students that are trained from one pass through their teacher; their throughput to that of runs of their own',
  peer: 'students.py',
  rounds: 5,
  weight: 2,
  cases: (context) => sized(pairs[0] as Pair, context).flatMap((pair) => casesOf(pair, context)),
};

function casesOf(pair: Pair, context: BenchContext): Case[] {
  const { tiny, device, precision } = context;
  const { batchSize } = pair;
  const suffix = caseSuffix(context, batchSize);
  const count = tiny ? 2 : usualCount;
  const name = `${count} ${pair.student} from one ${pair.teacher}`;
  const [batches, epochs] = tiny ? [3, 3] : device === 'cpu' ? [3, 5] : [40, 4];
  const open = () => studentsOf(count, noise(pair, batches), { batchSize, epochs, device, precision });
  return [
    {
      name: `${name}, together${suffix}`,
      unit: 'images/s',
      better: 'higher',
      peers: device === 'cpu' ? eager : onGpu,
      open() {
        const { together, dispose } = open();
        const question = { ...writeStart(pair, 'live', context), students: count, steps: stepsOf(context) };
        return { question, measure: async () => (1000 * batchSize) / (await together()), dispose };
      },
    },
    {
      name: `${name}${suffix}`,
      unit: 'times',
      better: 'higher',
      peers: [],
      open() {
        const { alone, together, dispose } = open();
        return { question: {}, measure: async () => (await alone()) / (await together()), dispose };
      },
    },
  ];
}

/** Milliseconds per step and student, of students trained together or one after the other. */
interface Students {
  together(): Promise<number>;
  alone(): Promise<number>;
  dispose(): void;
}

type Options = Pick<DistillSetup, 'device' | 'precision'> & { batchSize: number; epochs: number };

function studentsOf(count: number, whole: Dataset, options: Options): Students {
  const { epochs, device = 'cpu' } = options;
  const data = withFewTests(whole);
  const teacher = scope(() => {
    const images = torch.randn([16, 3, 32, 32]).contiguous({ memoryFormat: 'channelsLast' });
    const model = settledTeacher('wrn_40_2', data.classes.length, images);
    return ModelTeacher.of(model.to({ device }), 'wrn_40_2');
  });
  const common = { ...options, teacher, data, student: 'wrn_16_2', evaluateEvery: epochs, lr: 0.001 };
  const setups = Array.from({ length: count }, (_, seed): DistillSetup => ({ ...common, seed, dataSeed: 0 }));
  return {
    together() {
      const named = Object.fromEntries(setups.map((setup) => [`seed ${setup.seed}`, setup]));
      return stepTime(distillTogether(named), device, count);
    },
    async alone() {
      let sum = 0;
      for (const setup of setups) sum += await stepTime(distill(setup), device, 1);
      return sum / setups.length;
    },
    dispose: () => teacher.dispose(),
  };
}

/**
 * Returns milliseconds per step and student after the first epoch, which allocates memory, chooses the teacher's form
 * and captures steps.
 */
async function stepTime(run: AsyncIterable<TrainEvent & { student?: string }>, device: string, count: number) {
  // One event may cover several steps, so the progress of each student counts.
  const reached = new Map<string, number>();
  const done = () => [...reached.values()].reduce((sum, step) => sum + step, 0);
  let [stop, before, finished, spent]: [(() => number) | undefined, number, number, number] = [undefined, 0, 0, 0];
  for await (const event of run) {
    if (event.type !== 'step') continue;
    const { student = '', step, steps, epoch } = event;
    reached.set(student, step);
    if (!stop && epoch > 1) {
      before = done();
      stop = startClock(device);
    }
    if (step === steps && ++finished === count) spent = stop?.() ?? 0;
  }
  return spent / (done() - before);
}

/** Returns the data with few test images, because a run needs an evaluation but it is not measured. */
function withFewTests(data: Dataset): Dataset {
  const { images, labels } = data.test as ImageSet;
  const count = Math.min(24, labels.length);
  const size = images.length / labels.length;
  return { ...data, test: { images: images.subarray(0, count * size), labels: labels.subarray(0, count) } };
}
