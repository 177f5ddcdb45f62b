import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPacked, writePacked } from '../../src/data/formats/packed.js';
import { type AugmentOptions, openDataset } from '../../src/index.js';
import { addDevice, device, isPretended, isThere } from '../helpers/device.js';
import { photos, smallFolder, views } from './photos.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-device-'));
afterAll(() => rmSync(root, { recursive: true }));

// A device of its own memory: a tensor that was left behind on the processor is an error there.
addDevice();

const placed: AugmentOptions = { randomErasing: { p: 1 }, cutout: { length: 8 }, mixup: {}, cutmix: {} };
// Of these CUDA's float32 may round the last digit otherwise (docs/devices.md).
const coloured: AugmentOptions = { ...placed, colorJitter: {}, randAugment: {} };

async function packed() {
  const file = join(root, 'shapes.pack');
  await writePacked(await openDataset('shapes:40'), file);
  return openPacked(file);
}

const sets = {
  'images in memory': () => openDataset('shapes:40'),
  'a file that is mapped': packed,
  photos: async () => openDataset(`folder:${smallFolder(root, 'photos', 2)}`),
};

// The photos are not part of the repository: without them, these views are not compared.
const available = Object.entries(sets).filter(([name]) => name !== 'photos' || existsSync(photos));

describe.runIf(isThere).each(available)('views on a device: %s', (name, open) => {
  const augmentations: (boolean | AugmentOptions)[] =
    name === 'photos'
      ? [true, false]
      : [true, false, { crop: 'none' }, placed, { crop: 'resized', ...(isPretended ? coloured : placed) }];

  it('are those of the processor to the bit', async () => {
    const data = await open();
    for (const augment of augmentations) {
      const [actual, expected] = [await views(data, { augment, device }), await views(data, { augment })];
      expect(actual.images.device).toBe(device);
      expect(actual.images.to({ device: 'cpu' }).equal(expected.images), JSON.stringify(augment)).toBe(true);
      expect(actual.images.isContiguous({ memoryFormat: 'channelsLast' })).toBe(true);
      expect(actual.labels).toEqual(expected.labels);
    }
  });
});
