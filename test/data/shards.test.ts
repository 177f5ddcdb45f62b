import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Dataset, type EncodedSet, openDataset } from '../../src/index.js';
import { filesIn, photos, smallFolder, views } from './photos.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-shards-'));
afterAll(() => rmSync(root, { recursive: true }));

describe.skipIf(!existsSync(photos))('tar shards', () => {
  /** Packs photos of two classes by the system's tar, which we did not write. */
  function pack(name: string, options: string[] = []): string {
    const [folder, path] = [smallFolder(root, `${name}-photos`), join(root, name)];
    mkdirSync(path);
    for (const split of ['train', 'val']) {
      const stage = join(
        root,
        `${name}-${split}`,
        'a folder whose name is so long that it does not fit into the hundred bytes of a header, by far',
      );
      mkdirSync(stage, { recursive: true });
      for (const [label, kind] of ['daisy', 'tulips'].entries())
        for (const [i, file] of filesIn(join(folder, split, kind)).entries()) {
          copyFileSync(join(folder, split, kind, file), join(stage, `${kind}${i}.jpg`));
          writeFileSync(join(stage, `${kind}${i}.cls`), `${label}\n`);
        }
      execFileSync('tar', [
        '-C',
        join(root, `${name}-${split}`),
        ...options,
        '-cf',
        join(path, `${split}-000.tar`),
        '.',
      ]);
    }
    return path;
  }

  it.each([['gnu'], ['ustar'], ['pax']])('of the %s form are read in place', async (format) => {
    const name = `shards-${format}`;
    const path = pack(name, [`--format=${format}`, '--sort=name']);
    const data = await openDataset(`shards:${path}?size=24`);
    expect([...data.train.labels].sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    const plain = await openDataset(`folder:${join(root, `${name}-photos`)}?size=24`);
    const bytes = async (of: Dataset) => {
      const split = of.train as EncodedSet;
      const all = await Promise.all(Array.from({ length: 8 }, (_, i) => split.read(i)));
      return all.map((image, i) => `${of.train.labels[i]} ${Buffer.from(image).toString('base64')}`).sort();
    };
    expect(await bytes(data)).toEqual(await bytes(plain));
    expect((await views(data, { workers: 2 })).images.shape).toEqual([8, 3, 24, 24]);
  });

  it('that are cut off, or lack a label, are refused by name', async () => {
    const path = pack('shards-bad', ['--sort=name']);
    const file = join(path, 'train-000.tar');
    const whole = readFileSync(file);
    for (const length of [100, 700, 30_000, whole.length - 10_240 - 512]) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(openDataset(`shards:${path}`)).rejects.toThrow(/train-000\.tar .*cut off/);
    }
    writeFileSync(file, Buffer.alloc(2048, 7));
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/is no tar archive/);
    writeFileSync(file, Buffer.alloc(1024));
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/holds no image/);
    rmSync(file);
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/no shard train/);
  });
});
