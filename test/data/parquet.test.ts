import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ParquetFile } from '../../src/data/formats/parquet.js';
import { ConfigError, DataError, type Dataset, type EncodedSet, holdOut, openDataset } from '../../src/index.js';
import { fixture, fixturePath } from '../helpers/inputs.js';
import { views } from './photos.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-parquet-'));
afterAll(() => rmSync(root, { recursive: true }));
const fixtures = fixturePath('parquet');
const { images } = fixture<{ images: string[] }>('parquet');

/** Which of the images of test/fixtures/make/parquet.py a split gives, in its order; all are asked for at once. */
async function numbersIn(data: Dataset, split: 'train' | 'test'): Promise<number[]> {
  const { read, labels } = data[split] as EncodedSet;
  const found = await Promise.all(Array.from(labels, (_, image) => read(image)));
  return found.map((bytes) => images.indexOf(Buffer.from(bytes).toString('base64')));
}

const first = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('parquet files', () => {
  it("are read as Hugging Face's datasets writes them", async () => {
    const data = await openDataset(`parquet:${fixtures}/hf?size=16`);
    expect(data.classes).toEqual(['daisy', 'rose', 'tulip']);
    expect([data.channels, data.height, data.width]).toEqual([3, 16, 16]);
    expect([...data.train.labels]).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
    expect(await numbersIn(data, 'train')).toEqual(first(8));
    // Of validation and test the one that has labels.
    expect([...data.test.labels]).toEqual([2, 0, 1]);
    expect(await numbersIn(data, 'test')).toEqual([8, 9, 10]);
    expect((data.train as EncodedSet).nameOf(5)).toMatch(/^Row 1 of .*train-00001-of-00002\.parquet$/);
    expect((await openDataset(`parquet:${fixtures}/hf`)).height).toBe(224);
  });

  it('are found by a pattern', async () => {
    for (const pattern of ['hf/data/*.parquet', 'hf/**/*-of-*.parquet', 'h*/**'])
      expect((await openDataset(`parquet:${fixtures}/${pattern}?size=16`)).train.labels).toHaveLength(8);
    const data = await openDataset(`parquet:${fixtures}/hf/data/*-00000-*.parquet`);
    expect(await numbersIn(data, 'train')).toEqual(first(4));
  });

  it.each(['indexed', 'pages'])('with columns of other names and splits by folder are read: %s', async (name) => {
    const data = await openDataset(`parquet:${fixtures}/${name}?image=png&label=kind&size=16`);
    expect(data.classes).toEqual(['class 0', 'class 1', 'class 2']);
    expect([await numbersIn(data, 'train'), await numbersIn(data, 'test')]).toEqual([first(8), [8, 9, 10, 11]]);
    expect([...data.test.labels]).toEqual([2, 0, 1, 2]);
  });

  it('are read a page at a time where pages are indexed, and else a row group', async () => {
    const blocks = async (name: string) => {
      const file = await ParquetFile.open(`${fixtures}/${name}/train/0000.parquet`);
      const all = await Promise.all(first(8).map((row) => file.blockOf(row, 'png')));
      return all.map(({ start, end }) => [start, end]);
    };
    expect(await blocks('indexed')).toEqual(first(8).map((row) => [row, row + 1]));
    expect(await blocks('pages')).toEqual(first(8).map((row) => (row < 5 ? [0, 5] : [5, 8])));
  });

  it('of every codec are read', async () => {
    const data = await openDataset(`parquet:${fixtures}/codecs?size=16`);
    const order = ['brotli', 'gzip', 'lz4', 'none', 'snappy', 'zstd'];
    const made = ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'];
    expect(await numbersIn(data, 'train')).toEqual(
      order.flatMap((codec) => [2 * made.indexOf(codec), 2 * made.indexOf(codec) + 1]),
    );
  });

  it('give the same views for any number of workers, and parts for validation', async () => {
    const data = await openDataset(`parquet:${fixtures}/hf?size=16`);
    const expected = await views(data, { workers: 0 });
    expect(expected.images.shape).toEqual([8, 3, 16, 16]);
    const found = await views(await openDataset(`parquet:${fixtures}/hf?size=16`), { workers: 4, batchSize: 2 });
    expect([found.labels, found.images.equal(expected.images)]).toEqual([expected.labels, true]);
    expect(holdOut(data, 0.25).validation?.labels).toHaveLength(3);
  });
});

describe('parquet files that are no data set', () => {
  /** The good training file next to the named one. */
  function beside(name: string): string {
    const folder = mkdtempSync(join(root, 'set-'));
    for (const file of ['train', name])
      copyFileSync(`${fixtures}/refused/${file}.parquet`, `${folder}/${file}.parquet`);
    return folder;
  }

  it.each([
    ['test-label', /Row 1 of .*test-label\.parquet has label 3, and the last class is 2/],
    ['test-negative', /Row 1 of .* has no class number in label, but -1/],
    ['test-null', /Row 1 of .* has no class number in label, but null/],
    ['test-texts', /column image holds no encoded images.*\?image=COLUMN/],
    ['test-lists', /column image holds no encoded images/],
    ['test-names', /column label holds no class numbers.*\?label=COLUMN/],
    ['test-other', /has no column image or img; it has picture, label\. Choose one by \?image=COLUMN/],
    ['test-empty', /test-empty\.parquet: there are no rows/],
  ])('%s is refused', async (name, message) => {
    const opened = openDataset(`parquet:${beside(name)}`);
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toThrow(DataError);
  });

  it('lack images, splits or a folder', async () => {
    const missing = (await openDataset(`parquet:${beside('test-missing')}`)).test as EncodedSet;
    for (const row of [0, 1])
      await expect(missing.read(row)).rejects.toThrow(new RegExp(`Row ${row} of .* has no image in image`));
    await expect(openDataset(`parquet:${root}/nowhere`)).rejects.toThrow(/nowhere does not exist/);
    await expect(openDataset(`parquet:${fixtures}/refused/train*`)).rejects.toThrow(/no file validation\*\.parquet or/);
    await expect(openDataset(`parquet:${fixtures}/hf/data/valid*`)).rejects.toThrow(/no file train\*\.parquet/);
    await expect(openDataset(`parquet:${fixtures}/hf?size=4`)).rejects.toThrow(ConfigError);
    await expect(openDataset(`parquet:${fixtures}/hf?lable=x`)).rejects.toThrow(/lable.*Did you mean label/);
    await expect(openDataset(`parquet:${fixtures}/hf?label=x`)).rejects.toThrow(/has no column x; it has image, label/);
  });

  it('are cut off at any place, and refused by name', async () => {
    for (const name of ['hf/data/validation-00000-of-00001', 'indexed/test/0000']) {
      const folder = mkdtempSync(join(root, 'damaged-'));
      mkdirSync(join(folder, 'train'));
      const whole = readFileSync(`${fixtures}/${name}.parquet`);
      const file = join(folder, 'train', '0.parquet');
      writeFileSync(join(folder, 'test.parquet'), whole);
      const source = `parquet:${folder}${name.startsWith('hf') ? '' : '?image=png&label=kind'}`;
      for (let part = 0; part < 12; part++) {
        writeFileSync(file, whole.subarray(0, Math.floor((whole.length * part) / 12)));
        await expect(openDataset(source)).rejects.toThrow(/0\.parquet is not a whole parquet file/);
      }
    }
  });
});

describe.skipIf(!process.env.SRRL_PYTHON)('a file of many row groups', () => {
  it('is read out of order, without holding more than a part of it', async () => {
    const program = `
import sys, pyarrow as pa, pyarrow.parquet as pq
def rows(start):
    images = [number.to_bytes(4, "little") * 50_000 for number in range(start, start + 100)]
    return pa.table({"image": images, "label": [number % 7 for number in range(start, start + 100)]})
for name, groups in [("train", 32), ("test", 1)]:
    with pq.ParquetWriter(f"{sys.argv[1]}/{name}.parquet", rows(0).schema, compression="none", use_dictionary=False) as file:
        for group in range(groups):
            file.write_table(rows(100 * group))
`;
    const { stderr } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program, root], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const { train } = await openDataset(`parquet:${root}/t*.parquet`);
    expect(train.labels).toHaveLength(3200);
    const collected = () => {
      (globalThis as { gc?: () => void }).gc?.();
      return process.memoryUsage().arrayBuffers;
    };
    const before = collected();
    for (let i = 0; i < 160; i++) {
      const image = (i * 1237) % 3200;
      const bytes = Buffer.from(await (train as EncodedSet).read(image));
      expect([bytes.length, bytes.readUInt32LE(0), bytes.readUInt32LE(199_996)]).toEqual([200_000, image, image]);
    }
    // 640 MB of images in groups of 20 MB, of which 256 MB are kept.
    expect(collected() - before).toBeLessThan(300e6);
  });
});
