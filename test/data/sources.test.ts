import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writePacked } from '../../src/data/formats/packed.js';
import { DataError, type Dataset, type EncodedSet, holdOut, Loader, openDataset, train } from '../../src/index.js';
import torch from '../../src/torch.js';
import { photos, smallFolder, views } from './photos.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-sources-'));
afterAll(() => rmSync(root, { recursive: true }));

describe.skipIf(!existsSync(photos))('a folder of photos', () => {
  it('is read whole: classes in order, a number each', async () => {
    const data = await openDataset(`folder:${photos}?size=32`);
    expect(data.classes).toEqual(['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips']);
    expect([data.train.labels.length, data.test.labels.length]).toEqual([250, 60]);
    expect([data.height, data.width, data.channels]).toEqual([32, 32, 3]);
    expect((await openDataset(`folder:${photos}`)).height).toBe(224);
  });

  it('gives the same views for any batch size and any number of workers, and others in another epoch', async () => {
    const data = await openDataset(`folder:${smallFolder(root, 'views')}?size=24`);
    const expected = await views(data, { workers: 0 });
    expect(expected.images.shape).toEqual([8, 3, 24, 24]);
    for (const options of [{ workers: 1 }, { workers: 4, ahead: 1 }, { batchSize: 1 }, { batchSize: 8, ahead: 0 }]) {
      const found = await views(data, options);
      expect([options, found.labels, found.images.equal(expected.images)]).toEqual([options, expected.labels, true]);
    }
    expect((await views(data, {}, 2)).images.equal(expected.images)).toBe(false);
  });

  it('gives up what was made for another epoch, and holds no more than it may', async () => {
    const data = await openDataset(`folder:${smallFolder(root, 'epochs')}?size=16`);
    let reading = 0;
    let most = 0;
    const split = data.train as EncodedSet;
    const watched: Dataset = {
      ...data,
      train: {
        ...split,
        async read(image) {
          most = Math.max(most, ++reading);
          const bytes = await split.read(image);
          reading--;
          return bytes;
        },
      } as EncodedSet,
    };
    const loader = new Loader(watched, 'train', {
      batchSize: 2,
      seed: 3,
      shuffle: true,
      augment: true,
      workers: 2,
      ahead: 3,
    });
    for (const epoch of [0, 1, 2]) {
      loader.begin(epoch);
      // Only the first step of each epoch is looked at; the rest was made ahead in vain.
      await loader.ready(0);
      const { images, labels } = loader.batch(0);
      const alone = await views(data, { batchSize: 2, seed: 3, workers: 0 }, epoch);
      expect(images.equal(alone.images.narrow(0, 0, 2))).toBe(true);
      expect(labels.tolist()).toEqual(alone.labels.slice(0, 2));
    }
    expect(most).toBeLessThanOrEqual(2);
    loader.dispose();
    await expect(loader.ready(0)).rejects.toThrow(/disposed/);
  });

  it('trains a student, and names a file that is not an image', async () => {
    const path = smallFolder(root, 'train');
    const seen: string[] = [];
    for await (const event of train({ data: `folder:${path}?size=32`, student: 'resnet8', epochs: 1, batchSize: 4 }))
      seen.push(event.type);
    expect(seen.at(-1)).toBe('end');
    writeFileSync(join(path, 'train/daisy/broken.JPG'), readFileSync(join(photos, 'label_names.txt')));
    const data = await openDataset(`folder:${path}?size=32`);
    await expect(views(data, {})).rejects.toThrow(/broken\.JPG cannot be decoded/);
    await expect(views(data, {})).rejects.toThrow(DataError);
  }, 60_000);

  it('refuses what is no data set, with the reason', async () => {
    const path = smallFolder(root, 'bad');
    await expect(openDataset(`folder:${path}?size=4`)).rejects.toThrow(/'size' in .* must be a whole number from 8/);
    await expect(openDataset(`folder:${root}/nowhere`)).rejects.toThrow(/does not exist/);
    mkdirSync(join(path, 'val', 'roses'));
    await expect(openDataset(`folder:${path}`)).rejects.toThrow(
      /roses is a class that the training images do not have/,
    );
    rmSync(join(path, 'val', 'roses'), { recursive: true });
    mkdirSync(join(path, 'train', 'weeds'));
    await expect(openDataset(`folder:${path}`)).rejects.toThrow(/weeds holds no image/);
    rmSync(join(path, 'val'), { recursive: true });
    rmSync(join(path, 'train', 'weeds'), { recursive: true });
    await expect(openDataset(`folder:${path}`)).rejects.toThrow(/no folder val or test/);
    const data = await openDataset(`folder:${smallFolder(root, 'mix')}?size=16`);
    expect(() => new Loader(data, 'train', { batchSize: 2, augment: { mixup: {} } })).toThrow(
      /srrl pack|images of one size/,
    );
    expect(() => new Loader(data, 'validation', { batchSize: 2 })).toThrow(/no validation split/);
  });
});

describe('CIFAR-10 and MNIST', () => {
  it('are read from their binary forms', async () => {
    const path = join(root, 'cifar10');
    mkdirSync(path);
    const record = (label: number, pixel: number) => Buffer.concat([Buffer.from([label]), Buffer.alloc(3072, pixel)]);
    for (const number of [1, 2, 3, 4, 5])
      writeFileSync(join(path, `data_batch_${number}.bin`), record(number, 10 * number));
    writeFileSync(join(path, 'test_batch.bin'), Buffer.concat([record(9, 1), record(0, 2)]));
    const data = await openDataset(`cifar10:${path}`);
    expect([...data.train.labels, ...data.test.labels]).toEqual([1, 2, 3, 4, 5, 9, 0]);
    expect('images' in data.train && data.train.images[3072 * 4]).toBe(50);
    writeFileSync(join(path, 'data_batch_3.bin'), record(1, 1).subarray(2));
    await expect(openDataset(`cifar10:${path}`)).rejects.toThrow(/data_batch_3\.bin has 3071 bytes.*CIFAR-10 binary/);
    await expect(openDataset(`mnist:${path}`)).rejects.toThrow(/train-images-idx3-ubyte/);
  });
});

describe('packed files', () => {
  it('hold what they were made of', async () => {
    const file = join(root, 'shapes.pack');
    const data = await openDataset('shapes:36');
    await writePacked(data, file);
    const packed = await openDataset(`packed:${file}`);
    expect([...packed.train.labels]).toEqual([...data.train.labels]);
    const batch = (of: Dataset, split: 'train' | 'test') => {
      const loader = new Loader(of, split, { batchSize: 36, seed: 2, augment: true, shuffle: true });
      loader.begin(1);
      return loader.batch(0);
    };
    for (const split of ['train', 'test'] as const)
      expect(batch(packed, split).images.equal(batch(data, split).images)).toBe(true);
    const whole = readFileSync(file);
    for (const length of [10, 40_000, whole.length - 1]) {
      writeFileSync(join(root, 'cut.pack'), whole.subarray(0, length));
      await expect(openDataset(`packed:${join(root, 'cut.pack')}`)).rejects.toThrow(
        /not a file of srrl pack, or not whole/,
      );
    }
    writeFileSync(join(root, 'cut.pack'), whole.subarray(1));
    await expect(openDataset(`packed:${join(root, 'cut.pack')}`)).rejects.toThrow(/not as many as its header says/);
  });

  it.skipIf(!existsSync(photos))('are made of photos in the view of evaluation', async () => {
    const file = join(root, 'photos.pack');
    const data = await openDataset(`folder:${smallFolder(root, 'packed')}?size=20`);
    await writePacked(data, file);
    const packed = await openDataset(`packed:${file}`);
    const plain = async (of: Dataset) => {
      const loader = new Loader(of, 'test', { batchSize: 8 });
      loader.begin(0);
      await loader.ready(0);
      return loader.batch(0).images;
    };
    expect((await plain(packed)).allclose(await plain(data), 1e-6, 1e-6)).toBe(true);
  });
});

describe('images that are held out', async () => {
  const data = await openDataset('shapes:120');

  it('are of every class, in neither split twice, and look as they do in the whole', () => {
    const parts = holdOut(data, 0.2, 4);
    const rows = (name: 'train' | 'validation') => [...(parts[name]?.rows ?? [])];
    expect([rows('train').length, rows('validation').length]).toEqual([96, 24]);
    expect([...rows('train'), ...rows('validation')].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 120 }, (_, i) => i),
    );
    expect([...(parts.validation?.labels ?? [])].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 24 }, (_, i) => Math.floor(i / 2)),
    );
    expect(rows('validation')).not.toEqual([...(holdOut(data, 0.2, 5).validation?.rows ?? [])]);
    const options = { batchSize: 120, seed: 1, augment: true };
    const batch = (of: Dataset) => {
      const loader = new Loader(of, 'train', options);
      loader.begin(3);
      return loader.batch(0);
    };
    const [whole, part] = [batch(data), batch(parts)];
    const index = torch.tensor(rows('train'));
    expect(part.images.equal(whole.images.indexSelect(0, index))).toBe(true);
    expect(part.labels.equal(whole.labels.indexSelect(0, index))).toBe(true);
  });

  it('cannot be all or none', () => {
    for (const share of [0, 1, 0.001, Number.NaN]) expect(() => holdOut(data, share)).toThrow(/share/i);
  });
});
