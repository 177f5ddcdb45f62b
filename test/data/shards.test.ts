import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/is not a tar archive/);
    writeFileSync(file, Buffer.alloc(1024));
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/holds no image/);
    rmSync(file);
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/no shard train/);
  });
});

describe('a shard of', () => {
  /** Train and val of the same files, packed by the system's tar. */
  function shardsOf(name: string, fill: (stage: string) => void, options: string[] = []): string {
    const [stage, path] = [join(root, `${name}-stage`), join(root, name)];
    for (const folder of [stage, path]) mkdirSync(folder);
    fill(stage);
    for (const split of ['train', 'val'])
      execFileSync('tar', ['-C', stage, '--sort=name', ...options, '-cf', join(path, `${split}-0.tar`), '.']);
    return path;
  }
  const put = (stage: string, key: string, extension: string, bytes: string | Buffer) => {
    writeFileSync(join(stage, `${key}.${extension}`), bytes);
    writeFileSync(join(stage, `${key}.cls`), '1');
  };
  const image = Buffer.from('not looked into while the shards are opened');
  const names = ({ train }: Dataset) => [...train.labels].map((_, i) => (train as EncodedSet).nameOf(i).split(' ')[0]);

  it('what is not an image that can be decoded is counted by kind', async () => {
    const path = shardsOf('odd', (stage) => {
      put(stage, 'a', 'jpg', image);
      put(stage, 'b', 'TIF', image);
      put(stage, 'c', 'bmp', image);
      put(stage, 'd', 'seg.png', image);
      put(stage, 'e', 'jpg', '');
      writeFileSync(join(stage, 'f.cls'), '0');
      writeFileSync(join(stage, '._a.jpg'), image);
      writeFileSync(join(stage, 'notes.txt'), image);
    });
    const data = await openDataset(`shards:${path}`);
    expect(names(data)).toEqual(['./a.jpg', './b.TIF']);
    expect(data.skipped).toBe('2 .bmp, 2 .seg.png, 2 class without an image, 2 empty file, 2 hidden');
  });

  it.each(['gnu', 'pax', 'ustar'])('links in the %s form has the images that they lead to', async (format) => {
    const fill = (stage: string) => {
      put(stage, 'a', 'jpg', image);
      put(stage, 'b', 'png', image);
      linkSync(join(stage, 'b.png'), join(stage, 'c.png'));
      symlinkSync('a.jpg', join(stage, 'd.jpg'));
      symlinkSync('/etc/hostname', join(stage, 'e.jpg'));
      for (const key of 'cde') writeFileSync(join(stage, `${key}.cls`), '0');
    };
    const path = shardsOf(`links-${format}`, fill, [`--format=${format}`]);
    const data = await openDataset(`shards:${path}`);
    expect(names(data).sort()).toEqual(['./a.jpg', './b.png', './c.png', './d.jpg']);
    const { read } = data.train as EncodedSet;
    for (const i of [0, 1, 2, 3]) expect(Buffer.from(await read(i))).toEqual(image);
    expect(data.skipped).toBe('2 broken link, 2 class without an image');
  });

  it('a size that is none is refused, naming file and entry', async () => {
    const path = shardsOf('sizes', (stage) => put(stage, 'a', 'jpg', image));
    const file = join(path, 'train-0.tar');
    const whole = readFileSync(file);
    const at = whole.indexOf('./a.jpg') + 124;
    const binary = Buffer.alloc(12, 0xff);
    for (const size of [Buffer.from('-1000\0'), Buffer.from('12x4'), Buffer.from('99999999999\0'), binary]) {
      const damaged = Buffer.from(whole);
      size.copy(damaged, at);
      const header = damaged.subarray(at - 124, at - 124 + 512).fill(' ', 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      writeFileSync(file, damaged);
      await expect(openDataset(`shards:${path}`)).rejects.toThrow(/train-0\.tar is (damaged|cut off) .*\.\/a\.jpg/);
    }
  });

  it('another name than a file has is skipped, and pipes are never waited for', async () => {
    const path = shardsOf('around', (stage) => put(stage, 'a', 'jpg', image));
    mkdirSync(join(path, 'train-1.tar'));
    symlinkSync('nowhere', join(path, 'train-2.tar'));
    symlinkSync('val-0.tar', join(path, 'train-3.tar'));
    execFileSync('mkfifo', [join(path, 'train-4.tar')]);
    const data = await openDataset(`shards:${path}`);
    expect(data.train.labels).toHaveLength(2);
    expect(data.skipped).toBe('2 no regular file, 1 broken link');
    await expect(openDataset(`packed:${join(path, 'train-4.tar')}`)).rejects.toThrow(
      /train-4.tar is not a regular file/,
    );
  });
});
