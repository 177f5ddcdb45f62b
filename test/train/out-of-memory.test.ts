import { afterEach, expect, it, vi } from 'vitest';
import { Loader } from '../../src/data/loader.js';
import {
  distill,
  type EpochRecord,
  type Features,
  type Method,
  OutOfMemoryError,
  openDataset,
  type TrainEvent,
} from '../../src/index.js';
import { nn, type Tensor } from '../../src/torch.js';

afterEach(() => vi.restoreAllMocks());
const data = await openDataset('shapes:36?test=12');

/** The cross-entropy; `before` hears of each of its calls. */
const method = (before: () => void) =>
  ({
    name: 'watched',
    options: {},
    setUp: () => ({
      modules: {},
      terms: ({ student, labels }: { student: Features; labels: Tensor }) => {
        before();
        return { loss: { weight: 1, value: nn.functional.crossEntropy(student.logits, labels) } };
      },
    }),
  }) as unknown as Method;

async function epochs(before: () => void): Promise<{ loss: number; test: unknown }[]> {
  const list: { loss: number; test: unknown }[] = [];
  const teacher = 'assets/shapes-teacher.pt';
  const setup = { student: 'resnet8', teacher, data, method: method(before), epochs: 2, batchSize: 6, lr: 0.01 };
  const run = distill(setup);
  for await (const event of run as AsyncIterable<TrainEvent>)
    if (event.type === 'epoch') list.push({ loss: event.loss, test: (event as EpochRecord).test });
  return list;
}

/** Fails at the fourth call: the rehearsal is the first, the third step the fourth. */
function failing(): () => void {
  let calls = 0;
  return () => {
    if (++calls === 4) throw new OutOfMemoryError('out of memory');
  };
}

it('ends with the same bits whether memory runs out in the network or while its batch is made', async () => {
  const inNetwork = await epochs(failing());
  const make = Loader.prototype.batch;
  const fail = failing();
  vi.spyOn(Loader.prototype, 'batch').mockImplementation(function (this: Loader, step) {
    if (this.split === 'train') fail();
    return make.call(this, step);
  });
  const inBatch = await epochs(() => {});
  expect(inBatch).toEqual(inNetwork);
});
