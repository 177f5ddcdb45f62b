import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { ReadAhead } from '../../src/data/read-ahead.js';
import {
  type Dataset,
  distill,
  Loader,
  openDataset,
  StallError,
  type StallEvent,
  type StudentSetup,
  type TrainEvent,
  train,
} from '../../src/index.js';
import torch from '../../src/torch.js';
import { patiently } from '../../src/train/patience.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-stall-'));
afterAll(() => rmSync(folder, { recursive: true }));

const photo = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#808040' } })
  .jpeg()
  .toBuffer();

/** The image that comes last in the first epoch: the batch that is rehearsed does not need it. */
const latest = await (async () => {
  const loader = new Loader(await openDataset('shapes:12?test=60'), 'train', { batchSize: 12, shuffle: true });
  loader.begin(0);
  const order = torch.scope(() => loader.batch(0).indices.tolist() as number[]);
  loader.dispose();
  return order[11] as number;
})();

/** Twelve photos a split, of which one is on a disk that does not answer before `answer` is called. */
function slow(split: 'train' | 'test', number: number) {
  let answer = () => {};
  const late = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const splitOf = (own: string) => ({
    labels: Uint8Array.from({ length: 12 }, (_, i) => i),
    nameOf: (image: number) => `${own}/${image}.jpg`,
    async read(image: number) {
      if (own === split && image === number) await late;
      return photo;
    },
  });
  const data: Dataset = {
    source: 'slow',
    classes: Array.from({ length: 12 }, (_, i) => `class ${i}`),
    channels: 3,
    height: 32,
    width: 32,
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    augment: { pad: 0, flip: true },
    train: splitOf('train'),
    test: splitOf('test'),
  };
  return { data, answer };
}

const setup = (data: Dataset, options: Partial<StudentSetup> = {}): StudentSetup => ({
  data,
  student: 'resnet8',
  epochs: 1,
  batchSize: 4,
  stallWarning: 0.02,
  ...options,
});
/** Any image may take longer than the small limit of these tests; those of one file are meant. */
const stallsAt = (events: TrainEvent[], file: string) =>
  events.filter((event): event is StallEvent => event.type === 'stall' && event.file === file);

describe('waiting patiently', () => {
  afterEach(() => void vi.useRealTimers());

  /** What is said while a batch comes after `seconds`. */
  async function said(seconds: number, options: { stallWarning: number; stallLimit?: number }): Promise<number[]> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const loader = {
      split: 'train',
      ready: () => new Promise<void>((resolve) => setTimeout(resolve, 1000 * seconds)),
      waitsFor: () => ({ file: 'x.jpg', image: 3, missing: 1 }),
    } as unknown as Loader;
    const waited: number[] = [];
    const listen = (async () => {
      for await (const stall of patiently(loader, 0, options)) waited.push(stall.waited);
    })();
    listen.catch(() => waited.push(Number.NaN));
    await vi.advanceTimersByTimeAsync(1000 * seconds + 1);
    await listen;
    return waited;
  }

  it('is heard after growing intervals, and not at all where the batch comes in time', async () => {
    expect(await said(59, { stallWarning: 60 })).toEqual([]);
    expect(await said(1000, { stallWarning: 60 })).toEqual([60, 180, 420, 900]);
    expect(await said(1000, { stallWarning: 60, stallLimit: 1001 })).toEqual([60, 180, 420, 900]);
  });

  it('ends with an error after the limit, whether or not that is an interval', async () => {
    await expect(said(1000, { stallWarning: 60, stallLimit: 200 })).rejects.toThrow(StallError);
    await expect(said(1000, { stallWarning: 60, stallLimit: 30 })).rejects.toThrow(/x\.jpg, has not come for 30 s/);
  });
});

describe('reading ahead', () => {
  it('names the image of another batch where that holds up the workers', async () => {
    const ends = new Map<number, () => void>();
    const ahead = new ReadAhead({
      steps: 3,
      workers: 1,
      ahead: 1,
      size: 1,
      imagesOf: (step) => [10 * step, 10 * step + 1],
      make: (image) => new Promise((resolve) => ends.set(image, () => resolve(Uint8Array.of(image)))),
    });
    void ahead.ready(0).catch(() => {});
    expect(ahead.waitsFor(0)).toEqual({ image: 0, missing: 2 });
    const second = ahead.ready(1);
    expect(ahead.waitsFor(1)).toEqual({ image: 0, missing: 2 });
    for (const image of [0, 10, 11]) {
      await vi.waitFor(() => expect(ends.has(image)).toBe(true));
      if (image === 11) expect(ahead.waitsFor(1)).toEqual({ image: 11, missing: 1 });
      ends.get(image)?.();
    }
    await second;
    expect(ahead.waitsFor(1)).toBeUndefined();
  });
});

describe('reading batches behind the one that is due', () => {
  it('waits for them, keeps the one that is due, and gives up those before', async () => {
    const ahead = new ReadAhead({
      steps: 4,
      workers: 0,
      ahead: 2,
      size: 1,
      imagesOf: (step) => [step],
      make: async (image, target) => void target.set([image + 5]),
    });
    await ahead.ready(0, 1);
    expect([ahead.take(0)[0], ahead.take(1)[0], ahead.held]).toEqual([5, 6, 2]);
    await ahead.ready(1, 1);
    expect([ahead.take(1)[0], ahead.take(2)[0], ahead.held]).toEqual([6, 7, 2]);
    await ahead.ready(3, 1);
    expect([ahead.take(3)[0], ahead.held]).toEqual([8, 1]);
  });
});

describe('a data source that does not answer', () => {
  it.each([['train'], ['test']] as const)(
    'is named again and again, and the run continues when it does (%s)',
    async (split) => {
      const out = join(folder, split);
      const number = split === 'train' ? latest : 5;
      const { data, answer } = slow(split, number);
      const events: TrainEvent[] = [];
      for await (const event of train(setup(data, { out }))) {
        events.push(event);
        if (stallsAt(events, `${split}/${number}.jpg`).length === 2) answer();
      }
      expect(events.at(-1)).toMatchObject({ type: 'end', epoch: 1 });
      expect(stallsAt(events, `${split}/${number}.jpg`)[0]).toMatchObject({ type: 'stall', split, image: number });
      expect(readFileSync(join(out, 'config.yaml'), 'utf8')).toContain('stallWarning: 0.02');
    },
  );

  it('ends the run after the limit, with the state of the step before it, from which the run continues', async () => {
    const out = join(folder, 'limit');
    const { data, answer } = slow('train', latest);
    const events: TrainEvent[] = [];
    const options = { out, epochs: 3, stallLimit: 2 };
    const collect = async (more = {}) => {
      for await (const event of train(setup(data, { ...options, ...more }))) events.push(event);
    };
    const failure = await collect().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StallError);
    expect(failure).toMatchObject({
      code: 'ERR_STALLED',
      message: expect.stringMatching(
        /Image \d+ of the train split, train\/\d+\.jpg[\s\S]*--resume[\s\S]*before the step is in .*checkpoint-/,
      ),
    });
    answer();
    events.length = 0;
    await collect({ resume: true, stallLimit: 60 });
    expect(events.find(({ type }) => type === 'start')).toMatchObject({ resumedAt: expect.any(Number) });
    expect(events.at(-1)).toMatchObject({ type: 'end', epoch: 3 });
  });

  it('does not keep a run from being stopped or aborted', async () => {
    const before = torch.memory().tensors;
    const { data, answer } = slow('train', latest);
    const run = train(setup(data));
    const events: TrainEvent[] = [];
    for await (const event of run) {
      events.push(event);
      if (stallsAt([event], `train/${latest}.jpg`).length > 0) setTimeout(() => run.stop(), 1);
    }
    expect(events.at(-1)).toMatchObject({ type: 'end', stopped: 'asked', epoch: 0 });
    const controller = new AbortController();
    const aborted = train(setup(data, { signal: controller.signal }));
    const collect = async () => {
      for await (const event of aborted)
        if (stallsAt([event], `train/${latest}.jpg`).length > 0)
          setTimeout(() => controller.abort(new Error('enough')), 1);
    };
    await expect(collect()).rejects.toThrow('enough');
    answer();
    expect(torch.memory().tensors).toBe(before);
  });

  it('leaves nothing behind where nobody listens any more', async () => {
    const before = torch.memory().tensors;
    const { data, answer } = slow('test', 5);
    for await (const event of distill({ ...setup(data), teacher: 'assets/shapes-teacher.pt' })) {
      expect(event).toMatchObject({ type: 'stall', split: 'test' });
      break;
    }
    answer();
    expect(torch.memory().tensors).toBe(before);
  });
});
