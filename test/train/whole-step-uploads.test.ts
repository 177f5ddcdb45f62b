/**
 * Steps that a device repeats where the host brings it something: images that do not lie there, numbers of
 * augmentations, kept features. They are those that are done one by one, and the host waits for none of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openPacked, writePacked } from '../../src/data/formats/packed.js';
import { TargetCache } from '../../src/distill/target-cache.js';
import {
  type Accuracy,
  type AugmentOptions,
  type Dataset,
  type DistillSetup,
  distill,
  evaluate,
  type ImageSet,
  Loader,
  models,
  openDataset,
  Teacher,
  type TrainEvent,
} from '../../src/index.js';
import { DeviceGraph, GraphPool, noGrad } from '../../src/tensor/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { DeviceSteps } from '../../src/train/device-steps.js';
import { scored } from '../../src/train/evaluate.js';
import { RepeatedScores, Scores } from '../../src/train/scores.js';
import { addDevice, device, isMock, isThere, waits } from '../helpers/device.js';

addDevice();

const folder = mkdtempSync(join(tmpdir(), 'srrl-uploads-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const shapes = await openDataset('shapes:50?test=12');
const packed = join(folder, 'shapes.pack');
await writePacked(shapes, packed);

/** The same images as files that are decoded. */
async function encoded(): Promise<Dataset> {
  const [train, test] = await Promise.all(
    [shapes.train, shapes.test].map(async (split) => {
      const { images, labels } = split as ImageSet;
      const size = 3 * 32 * 32;
      const files = await Promise.all(
        Array.from(labels, (_, i) => {
          const planes = images.subarray(i * size, (i + 1) * size);
          const pixels = Uint8Array.from(planes, (_, at) => planes[(at % 3) * 1024 + Math.floor(at / 3)] as number);
          return sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
            .png()
            .toBuffer();
        }),
      );
      return { labels, read: async (image: number) => files[image] as Uint8Array, nameOf: (i: number) => `${i}.png` };
    }),
  );
  return { ...shapes, train: train as Dataset['train'], test: test as Dataset['test'] };
}

const colored: AugmentOptions = { colorJitter: { brightness: 0.3, hue: 0.1 }, randAugment: {}, cutout: { length: 8 } };
const mixed: AugmentOptions = { randomErasing: {}, mixup: {}, cutmix: {} };

const cases: [string, () => Promise<Dataset>, Partial<DistillSetup>][] = [
  ['images on the device, with augmentations', async () => shapes, { augmentation: { ...colored, ...mixed } }],
  ['images on the device, of which parts are resized', async () => shapes, { augmentation: { crop: 'resized' } }],
  ['images of a packed file', async () => openPacked(packed), {}],
  ['images of a packed file, mixed', async () => openPacked(packed), { augmentation: mixed, ema: 0.9, clipNorm: 1 }],
  ['images that are decoded', encoded, { augmentation: colored }],
  ['images of a packed file, in parts', async () => openPacked(packed), { microBatch: 4 }],
];

torch.manualSeed(3);
const teacher = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');
const common = { student: 'resnet8', teacher, method: 'srrl', batchSize: 8, lr: 0.01, device, epochs: 3 } as const;

async function all(options: Partial<DistillSetup> & { data: Dataset }): Promise<TrainEvent[]> {
  const list: TrainEvent[] = [];
  for await (const event of distill({ ...common, deterministic: true, ...options })) list.push(event);
  return list;
}

/** What an epoch came to, but for the time that it took. */
const epochs = (list: TrainEvent[]) =>
  list.flatMap((event) => {
    if (event.type !== 'epoch') return [];
    const { seconds: _seconds, imagesPerSecond: _speed, ...rest } = event;
    return [rest];
  });

/** For each replay, how often the host had looked (also at what an evaluation came to) and waited by then. */
function watch(): { looks: number; waits: number }[] {
  const seen: { looks: number; waits: number }[] = [];
  const look = vi.spyOn(DeviceSteps.prototype, 'look');
  const read = vi.spyOn(Scores.prototype, 'read');
  const real = DeviceGraph.prototype.replay;
  vi.spyOn(DeviceGraph.prototype, 'replay').mockImplementation(function (this: DeviceGraph) {
    seen.push({ looks: look.mock.calls.length + read.mock.calls.length, waits: waits() });
    real.call(this);
  });
  return seen;
}

/** How often the host waited between two replays without a look between them. */
const between = (seen: { looks: number; waits: number }[]): number[] =>
  seen.slice(1).flatMap(({ looks, waits: now }, i) => {
    const before = seen[i] as (typeof seen)[number];
    return looks === before.looks ? [now - before.waits] : [];
  });

describe.runIf(isThere)('repeated steps', () => {
  it.each(cases)('have %s, and wait for nothing', async (_, open, options) => {
    // Without a clock that moves, twice as many steps follow after each look.
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const aside = vi.spyOn(DeviceGraph.prototype, 'aside');
    const data = await open();
    const seen = watch();
    const repeated = await all({ ...options, data });
    expect(aside).toHaveBeenCalledTimes(options.microBatch ? 0 : 1);
    expect(between(seen).length).toBeGreaterThan(6);
    if (isMock) expect(new Set(between(seen))).toEqual(new Set([0]));
    if (isMock) expect(seen.at(-1)?.waits).toBeGreaterThan(0);
    expect(repeated.filter((event) => event.type === 'notice' && /captured/.test(event.message))).toEqual([]);
    const alone = await all({ ...options, data, recordSteps: false });
    if (isMock) expect(epochs(repeated)).toEqual(epochs(alone));
    expect(epochs(repeated)).toHaveLength(3);
  });
});

describe.runIf(isThere)('kept features', () => {
  const options = { views: 2, teacherCache: join(folder, 'cache'), evaluateEvery: 100, epochs: 4 } as const;

  it.each([
    ['lie on the device as soon as they are complete', true],
    ['are brought by the host where they take too much of its memory', false],
  ])('%s, and the host waits for nothing', async (_, fits) => {
    for (const data of [shapes, openPacked(packed)]) {
      vi.spyOn(performance, 'now').mockReturnValue(0);
      if (!fits) vi.spyOn(TargetCache.prototype, 'onDevice').mockReturnValue(undefined);
      const reads = vi.spyOn(TargetCache.prototype, 'read');
      rmSync(options.teacherCache, { recursive: true, force: true });
      // Two epochs fill it.
      const empty = await all({ ...options, data });
      reads.mockClear();
      const seen = watch();
      const full = await all({ ...options, data });
      // Of seven batches an epoch: the rehearsal, and two of each size before they are captured.
      expect(reads.mock.calls.length).toBe(fits ? 5 : 29);
      if (isMock) expect(new Set(between(seen))).toEqual(new Set([0]));
      expect(between(seen).length).toBeGreaterThan(10);
      const alone = await all({ ...options, data, recordSteps: false });
      if (isMock) expect([epochs(full), epochs(empty)]).toEqual([epochs(alone), epochs(alone)]);
      vi.restoreAllMocks();
    }
  });
});

describe.runIf(isThere)('an evaluation', () => {
  it.each([
    ['images on the device', async () => shapes],
    ['images of a packed file', async () => openPacked(packed)],
    ['images that are decoded', encoded],
  ] as [string, () => Promise<Dataset>][])('repeats one graph for each size, of %s', async (_, open) => {
    const data = { ...(await open()) };
    data.test = data.train;
    const network = models.create('resnet8', { numClasses: 12 }).to({ device }).eval();
    const loader = new Loader(data, 'test', { batchSize: 12, device });
    const pool = new GraphPool();
    const logits = (images: Tensor) => network.forward(images);
    const scores = new RepeatedScores(loader, logits, pool);
    const record = vi.spyOn(DeviceGraph, 'record');
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    const patience = { stallWarning: 60 };
    const measured = async () => (await scored(scores, loader, patience).next()).value;
    for (const round of [0, 1, 2]) {
      // Four batches of 12, and one of 2: the first of each size is not repeated.
      const [repeated, alone] = [(await measured()) as Accuracy, await evaluate(logits, loader)];
      if (isMock) expect(repeated).toEqual(alone);
      expect(repeated.loss).toBeCloseTo(alone.loss, 3);
      expect([record.mock.calls.length, replay.mock.calls.length]).toEqual(
        [
          [1, 3],
          [2, 8],
          [2, 13],
        ][round],
      );
      noGrad(() => {
        for (const parameter of network.parameters()) parameter.mul_(1.1);
      });
    }
    expect(pool.id).toBeDefined();
    scores.dispose();
    expect(pool.id).toBeUndefined();
    loader.dispose();
  });

  it('goes operator by operator where a network reads numbers', async () => {
    const loader = new Loader(shapes, 'test', { batchSize: 4, device });
    const network = models.create('resnet8', { numClasses: 12 }).to({ device }).eval();
    const logits = (images: Tensor) => {
      const z = network.forward(images);
      return z.mul(Number(z.isfinite().all().item()));
    };
    const scores = new RepeatedScores(loader, logits, new GraphPool());
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    const { value } = await scored(scores, loader, { stallWarning: 60 }).next();
    expect(value).toEqual(await evaluate(logits, loader));
    expect(replay).not.toHaveBeenCalled();
    scores.dispose();
    loader.dispose();
  });
});
