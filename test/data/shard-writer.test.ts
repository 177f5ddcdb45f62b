import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { writeShards } from '../../src/data/formats/shard-writer.js';
import { ConfigError, DataError, type Dataset, type EncodedSet, type ImageSet, openDataset } from '../../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-writer-'));
afterAll(() => rmSync(root, { recursive: true }));

describe('a data set written as shards', () => {
  it('is unpacked by tar, and read again with the same pixels, labels and names', async () => {
    const [out, unpacked] = [join(root, 'shapes'), join(root, 'unpacked')];
    const data = await openDataset('shapes:25?test=24');
    const heard: number[] = [];
    expect(await writeShards(data, out, { images: 10, onProgress: (done) => heard.push(done) })).toBe(6);
    expect(heard).toEqual(Array.from({ length: 49 }, (_, i) => i + 1));
    mkdirSync(unpacked);
    for (const name of readdirSync(out).filter((file) => file.startsWith('train')))
      execFileSync('tar', ['-C', unpacked, '-xf', join(out, name)]);
    const { images, labels } = data.train as ImageSet;
    for (const [i, label] of labels.entries()) {
      const key = join(unpacked, String(i).padStart(8, '0'));
      expect(readFileSync(`${key}.cls`, 'utf8')).toBe(String(label));
      const pixels = await sharp(`${key}.png`).raw().toBuffer();
      const planes = images.subarray(i * 3 * 1024, (i + 1) * 3 * 1024);
      expect(pixels.every((value, at) => value === planes[(at % 3) * 1024 + Math.floor(at / 3)])).toBe(true);
    }
    const again = await openDataset(`shards:${out}?size=32`);
    expect([...again.train.labels]).toEqual([...labels]);
    expect([again.classes, again.test.labels.length]).toEqual([data.classes, 24]);
  });

  it('keeps the bytes of encoded images, whatever they are called', async () => {
    const formats = ['jpeg', 'png', 'webp', 'tiff'] as const;
    const files = await Promise.all(
      formats.map((format) =>
        sharp({ create: { width: 9, height: 8, channels: 3, background: '#a05020' } })
          .toFormat(format)
          .toBuffer(),
      ),
    );
    const split = (bytes: Buffer[]): EncodedSet => ({
      labels: Uint8Array.from(bytes, (_, i) => i % 2),
      read: async (image) => bytes[image] as Buffer,
      nameOf: (image) => `image ${image}`,
    });
    const shapes = await openDataset('shapes:24?test=24');
    const data: Dataset = { ...shapes, classes: ['a', 'b'], train: split(files), test: split(files) };
    const out = join(root, 'encoded');
    await writeShards(data, out, { images: 3 });
    const { train } = await openDataset(`shards:${out}?size=32`);
    for (const [i, file] of files.entries()) expect(Buffer.from(await (train as EncodedSet).read(i))).toEqual(file);
    const names = files.map((_, i) => (train as EncodedSet).nameOf(i).split(' ')[0]);
    expect(names).toEqual(['00000000.jpg', '00000001.png', '00000002.webp', '00000003.tif']);
    const odd = { ...data, train: split([Buffer.from('nothing that is known')]) };
    await expect(writeShards(odd, join(root, 'odd'), { images: 3 })).rejects.toThrow(/image 0 is no JPEG, PNG, WebP/);
    expect(readdirSync(root).filter((name) => name.startsWith('odd'))).toEqual([]);
  });

  it('takes no folder that holds something, and leaves nothing half written', async () => {
    const data = await openDataset('shapes:12?test=12');
    const out = join(root, 'full');
    mkdirSync(out);
    await writeShards(data, out, { images: 12 });
    await expect(writeShards(data, out, { images: 12 })).rejects.toThrow(ConfigError);
    writeFileSync(join(root, 'file'), '');
    await expect(writeShards(data, join(root, 'file', 'x'), { images: 12 })).rejects.toThrow(DataError);
    expect(existsSync(join(root, 'file'))).toBe(true);
  });
});
