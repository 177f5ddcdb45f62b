import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPacked, writePacked } from '../../src/data/formats/packed.js';
import type { Batch } from '../../src/flow.js';
import { type AugmentOptions, Loader, openDataset } from '../../src/index.js';
import { DeviceGraph, noGrad } from '../../src/tensor/index.js';
import { addDevice, device, isMock, isThere, waits } from '../helpers/device.js';
import { photos, smallFolder, views } from './photos.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-device-'));
afterAll(() => rmSync(root, { recursive: true }));

// A device of its own memory: a tensor that was left behind on the CPU is an error there.
addDevice();

const placed: AugmentOptions = { randomErasing: { p: 1 }, cutout: { length: 8 }, mixup: {}, cutmix: {} };
// Of these CUDA's float32 may round the last digit otherwise (docs/devices.md).
const colored: AugmentOptions = {
  ...placed,
  colorJitter: { brightness: 0.4, saturation: 0.4, hue: 0.1 },
  randAugment: { n: 2, m: 12 },
};

async function packed() {
  const file = join(root, 'shapes.pack');
  await writePacked(await openDataset('shapes:20'), file);
  return openPacked(file);
}

const sets = {
  'images in memory': () => openDataset('shapes:20'),
  'a file that is mapped': packed,
  photos: async () => openDataset(`folder:${smallFolder(root, 'photos', 2)}`),
};

// The photos are not part of the repository: without them, these views are not compared.
const available = Object.entries(sets).filter(([name]) => name !== 'photos' || existsSync(photos));

describe.runIf(isThere).each(available)('views on a device: %s', (name, open) => {
  const augmentations: (boolean | AugmentOptions)[] =
    name === 'photos'
      ? [
          true,
          false,
          ...(isMock ? [{ colorJitter: { contrast: 0.4, hue: 0.1 }, randAugment: { m: 20 }, cutout: {} }] : []),
        ]
      : [true, false, { crop: 'none' }, placed, { crop: 'resized', ...(isMock ? colored : placed) }];

  it('are those of the CPU bit for bit', async () => {
    const data = await open();
    for (const augment of augmentations) {
      const [actual, expected] = [await views(data, { augment, device }), await views(data, { augment })];
      expect(actual.images.device).toBe(device);
      expect(actual.images.to({ device: 'cpu' }).equal(expected.images), JSON.stringify(augment)).toBe(true);
      expect(actual.images.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
      expect(actual.labels).toEqual(expected.labels);
    }
  });

  it('are made by captured work as well, where the host waits for nothing', async () => {
    const data = await open();
    for (const augment of augmentations) {
      const options = { batchSize: 3, seed: 7, shuffle: true, augment } as const;
      const [captured, alone] = [new Loader(data, 'train', { ...options, device }), new Loader(data, 'train', options)];
      const source = captured.onDevice() as NonNullable<ReturnType<Loader['onDevice']>>;
      const seen = noGrad(() => recorder(captured));
      for (const epoch of [1, 2]) {
        for (const loader of [captured, alone]) loader.begin(epoch);
        for (let step = 0; step < alone.steps; step++) {
          for (const loader of [captured, alone]) await loader.ready(step);
          const before = waits();
          const batch = seen(step);
          expect(waits()).toBe(before);
          const expected = alone.batch(step);
          const what = `${JSON.stringify(augment)}, epoch ${epoch}, step ${step}`;
          for (const name of ['images', 'labels', 'indices'] as const)
            expect(batch[name].to({ device: 'cpu' }).equal(expected[name]), `${name}, ${what}`).toBe(true);
        }
        const next = source.after((alone.steps - 1) * 3, 3);
        expect(next).toEqual(name === 'photos' ? undefined : { epoch: epoch + 1, position: 0 });
      }
      for (const loader of [captured, alone]) loader.dispose();
    }
  });
});

/** Replays the batches of a loader: of each size one graph, recorded when it is first asked for. */
function recorder(loader: Loader): (step: number) => Batch {
  const source = loader.onDevice() as NonNullable<ReturnType<Loader['onDevice']>>;
  const graphs = new Map<number, { graph: DeviceGraph; batch: Batch }>();
  return (step) => {
    const size = loader.sizeOf(step);
    source.goTo({ epoch: source.epoch, position: 3 * step }, size);
    if (!graphs.has(size)) {
      let batch: Batch | undefined;
      const graph = DeviceGraph.record(device, () => {
        batch = source.next(size);
      });
      graphs.set(size, { graph, batch: batch as unknown as Batch });
    }
    const { graph, batch } = graphs.get(size) as { graph: DeviceGraph; batch: Batch };
    graph.replay();
    source.moved(size);
    return batch;
  };
}
