/** Files whose sizes lie, or that unpack to far more than they should. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { readingOf, tarEntries } from '../../src/data/formats/tar.js';
import { SampleRandom } from '../../src/data/philox.js';
import { DataError, FileError, openDataset } from '../../src/index.js';
import { loadNpz } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';

const entriesOf = (file: string) => readingOf(file, (size) => tarEntries(file, size));

const folder = mkdtempSync(join(tmpdir(), 'srrl-bounded-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const newFolder = () => {
  const path = join(folder, String(count++));
  mkdirSync(path);
  return path;
};

/** The most memory that this process had, in MiB, may not grow by more than `limit` while `body` runs. */
async function within(limit: number, body: () => Promise<unknown>): Promise<void> {
  const before = process.resourceUsage().maxRSS;
  await body();
  expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(limit);
}

const idx = (sizes: number[], elements: Buffer) => {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(0x0800 + sizes.length);
  for (const [i, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, elements]);
};

describe('idx', () => {
  it('stops at what its header announces', async () => {
    const path = newFolder();
    // 20 images are announced, 400 MB follow.
    writeFileSync(
      join(path, 'train-images-idx3-ubyte.gz'),
      gzipSync(idx([20, 28, 28], Buffer.alloc(400 * 2 ** 20)), { level: 1 }),
    );
    await within(100, () =>
      expect(openDataset(`mnist:${path}`)).rejects.toThrow(/unpacks to more than the 15696 bytes that its header/),
    );
  });

  it.each([
    ['larger than any data set', idx([2 ** 32 - 1, 28, 28], Buffer.alloc(10)), /up to 1073741824 are read/],
    ['no header', Buffer.from([0, 0, 8]), /truncated/],
    ['another number of dimensions', idx([3], Buffer.alloc(30)), /not an idx file/],
  ])('is refused with %s', async (_name, bytes, message) => {
    for (const packed of [false, true]) {
      const path = newFolder();
      writeFileSync(join(path, `train-images-idx3-ubyte${packed ? '.gz' : ''}`), packed ? gzipSync(bytes) : bytes);
      await expect(openDataset(`mnist:${path}`)).rejects.toThrow(message);
      await expect(openDataset(`mnist:${path}`)).rejects.toThrow(DataError);
    }
  });
});

describe('parquet', () => {
  it.each(['brotli', 'gzip', 'lz4', 'snappy', 'zstd', 'none'])(
    '%s: mutated page headers are refused or harmless, and take no memory',
    async (codec) => {
      const bytes = readFileSync(fixturePath(`parquet/codecs/train-${codec}.parquet`));
      const path = newFolder();
      copyFileSync(fixturePath('parquet/codecs/test.parquet'), join(path, 'test.parquet'));
      await within(300, async () => {
        for (let trial = 0; trial < 40; trial++) {
          const random = new SampleRandom(11, 1, trial);
          const changed = Buffer.from(bytes);
          // The pages come first; large varints in their headers announce the most.
          const at = random.below(Math.min(bytes.length, 400));
          changed.fill(random.below(2) ? 0xff : random.below(256), at, at + 1 + random.below(4));
          writeFileSync(join(path, 'train.parquet'), changed);
          const error = await readAll(path).catch((thrown: unknown) => thrown);
          if (error !== undefined) expect(error).toBeInstanceOf(DataError);
        }
      });
    },
    60_000,
  );
});

/** Reads every image of a folder of parquet files. */
async function readAll(path: string): Promise<void> {
  const { train } = await openDataset(`parquet:${path}?size=8`);
  if (!('read' in train)) throw new Error('images that are decoded were expected');
  for (const row of train.rows ?? train.labels.keys()) await train.read(row);
}

describe('xz', () => {
  it('stops at the limit, with an error that can be caught', async () => {
    const path = newFolder();
    const made = spawnSync('sh', ['-c', `head -c 300000000 /dev/zero | xz -0 -T2 > '${path}/data_batch_1.bin.xz'`], {
      encoding: 'utf8',
    });
    expect(made.status).toBe(0);
    for (const name of ['2', '3', '4', '5'])
      copyFileSync(join(path, 'data_batch_1.bin.xz'), join(path, `data_batch_${name}.bin.xz`));
    await expect(openDataset(`cifar10:${path}`)).rejects.toThrow(/unpacks to more than 256 MiB/);
  }, 60_000);

  it('that is damaged says what xz says', async () => {
    const path = newFolder();
    writeFileSync(join(path, 'train.bin.xz'), 'no xz');
    await expect(openDataset(`cifar100:${path}`)).rejects.toThrow(/train.bin.xz cannot be unpacked: .*format/);
  });
});

describe('npz', () => {
  it('stops at a limit, which can be chosen', async () => {
    const file = fixturePath('files/deflated.npz');
    expect(Object.keys(await loadNpz(file)).length).toBeGreaterThan(0);
    await expect(loadNpz(file, { maxBytes: 16 })).rejects.toThrow(FileError);
    await expect(loadNpz(file, { maxBytes: 16 })).rejects.toThrow(/unpack to \d+ bytes or more; the limit is 16/);
  });
});

/** A header of 512 bytes whose checksum is right. */
function tarHeader(name: string, size: string | Buffer, kind = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  if (typeof size === 'string') header.write(size, 124);
  else size.copy(header, 124);
  header.write(kind, 156);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
const block = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(512 - Buffer.byteLength(text))]);
const pax = (record: string, size = Buffer.byteLength(record).toString(8)) => [
  tarHeader('PaxHeader', size, 'x'),
  block(record),
];

describe('tar', () => {
  const binary = (first: number, size: bigint) => {
    const field = Buffer.alloc(12);
    field.writeBigUInt64BE(size, 4);
    field[0] = first;
    return field;
  };
  it.each([
    ['a negative size', [tarHeader('a.jpg', '-1000')]],
    ['a size in other digits', [tarHeader('a.jpg', '0x10')]],
    ['a size with a sign', [tarHeader('a.jpg', '+10')]],
    ['a negative binary size', [tarHeader('a.jpg', binary(0xff, 2n ** 64n - 512n))]],
    ['a binary size beyond all counting', [tarHeader('a.jpg', binary(0x80, 2n ** 63n))]],
    ['a size behind the end', [tarHeader('a.jpg', '77777777777')]],
    ['a negative size in a pax header', [...pax('13 size=-512\n'), tarHeader('a.jpg', '0')]],
    ['a pax record of no length', [...pax('0 size=5\n'), tarHeader('a.jpg', '0')]],
    ['a pax record of negative length', [...pax('-9 size=5\n'), tarHeader('a.jpg', '0')]],
    ['a pax record that is longer than its header', [...pax('999 size=5\n'), tarHeader('a.jpg', '0')]],
    ['a long name of 1 GiB', [tarHeader('././@LongLink', '10000000000', 'L')]],
  ] as [string, Buffer[]][])('with %s is refused', (_name, parts) => {
    const file = join(newFolder(), 'a.tar');
    writeFileSync(file, Buffer.concat([...parts, Buffer.alloc(1024)]));
    expect(() => entriesOf(file)).toThrow(DataError);
    expect(() => entriesOf(file)).toThrow(file);
  });

  it.each(['1e9', '0x10', '-1', '4294967296', '9'.repeat(80)])('with the class number %s is refused', async (text) => {
    const path = newFolder();
    const digits = (length: number) => length.toString(8);
    for (const name of ['train-0.tar', 'val-0.tar'])
      writeFileSync(
        join(path, name),
        Buffer.concat([
          tarHeader('a.jpg', '10'),
          block('x'),
          tarHeader('a.cls', digits(text.length)),
          block(text),
          Buffer.alloc(1024),
        ]),
      );
    await expect(openDataset(`shards:${path}`)).rejects.toThrow(/a.cls holds no class number, 0 to 1048575/);
  });

  it('reads what is valid', () => {
    const file = join(newFolder(), 'a.tar');
    const content = Buffer.alloc(512, 'x');
    writeFileSync(
      file,
      Buffer.concat([
        ...[tarHeader('a.jpg', '00000001000'), content],
        ...[tarHeader('b.jpg', binary(0x80, 512n)), content],
        ...[...pax('12 size=512\n'), tarHeader('c.jpg', '0'), content],
        Buffer.alloc(1024),
      ]),
    );
    expect(entriesOf(file).map(({ name, size }) => [name, size])).toEqual([
      ['a.jpg', 512],
      ['b.jpg', 512],
      ['c.jpg', 512],
    ]);
  });
});
