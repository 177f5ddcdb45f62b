import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { EncodedSet } from '../../src/data/dataset.js';
import { Loader, openDataset } from '../../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-links-'));
afterAll(() => rmSync(root, { recursive: true }));
const photo = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#a04020' } })
  .jpeg()
  .toBuffer();

/** Two classes, each with `one.jpg`, in train and val, outside of the data set's own folder. */
function store(name: string): string {
  const path = join(root, name);
  for (const split of ['train', 'val'])
    for (const kind of ['cat', 'dog']) {
      mkdirSync(join(path, split, kind), { recursive: true });
      writeFileSync(join(path, split, kind, 'one.jpg'), photo);
    }
  return path;
}

const filesOf = (set: EncodedSet, path: string) =>
  Array.from(set.labels, (_, image) => set.nameOf(image).slice(path.length + 1));

describe('folder: finds images as ImageFolder does', () => {
  it('follows links to splits, classes, nested folders and files, and ends at a cycle', async () => {
    const real = store('real');
    const path = join(root, 'linked');
    mkdirSync(join(path, 'train', 'cat', 'deep'), { recursive: true });
    symlinkSync(join(real, 'val'), join(path, 'val'));
    symlinkSync(join(real, 'train', 'dog'), join(path, 'train', 'dog'));
    symlinkSync(join(real, 'train', 'cat', 'one.jpg'), join(path, 'train', 'cat', 'link.JPG'));
    symlinkSync(join(real, 'train', 'cat'), join(path, 'train', 'cat', 'deep', 'more'));
    symlinkSync('..', join(path, 'train', 'cat', 'deep', 'cycle'));
    symlinkSync('nowhere.jpg', join(path, 'train', 'cat', 'broken.jpg'));
    const data = await openDataset(`folder:${path}?size=8`);
    expect(data.classes).toEqual(['cat', 'dog']);
    expect(filesOf(data.train as EncodedSet, path)).toEqual([
      'train/cat/deep/more/one.jpg',
      'train/cat/link.JPG',
      'train/dog/one.jpg',
    ]);
    expect(data.skipped?.split(', ').sort()).toEqual(['1 broken link', '1 link to a folder above']);
    const loader = new Loader(data, 'train', { batchSize: 3 });
    await loader.ready(0);
    expect(loader.batch(0).labels.tolist()).toEqual([0, 0, 1]);
    loader.dispose();
  });

  it('takes regular, visible files alone, and counts the others by kind', async () => {
    const path = store('odd');
    const cat = join(path, 'train', 'cat');
    for (const folder of ['.ipynb_checkpoints', '__MACOSX', 'odd.jpg']) mkdirSync(join(cat, folder));
    for (const folder of ['.ipynb_checkpoints', '__MACOSX']) {
      writeFileSync(join(cat, folder, 'copy.jpg'), photo);
      mkdirSync(join(path, 'train', folder));
    }
    for (const name of ['._one.jpg', '.DS_Store', 'Thumbs.db', 'a.heic', 'b.heic', 'README'])
      writeFileSync(join(cat, name), 'x');
    writeFileSync(join(cat, 'empty.png'), '');
    execFileSync('mkfifo', [join(cat, 'pipe.jpg')]);
    const data = await openDataset(`folder:${path}`);
    expect(data.classes).toEqual(['cat', 'dog']);
    expect(filesOf(data.train as EncodedSet, path)).toEqual(['train/cat/one.jpg', 'train/dog/one.jpg']);
    expect(data.skipped).toBe('5 hidden, 2 .heic, 1 empty file, 1 no regular file, 1 without extension');
  });

  it('names the file that is gone when it is read', async () => {
    const path = store('gone');
    const data = await openDataset(`folder:${path}`);
    rmSync(join(path, 'train', 'dog', 'one.jpg'));
    const loader = new Loader(data, 'train', { batchSize: 2 });
    await expect(loader.ready(0)).rejects.toMatchObject({
      code: 'ERR_DATA',
      message: expect.stringContaining(join('train', 'dog', 'one.jpg')),
    });
    loader.dispose();
  });
});
