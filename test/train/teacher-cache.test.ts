import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import { TargetCache, verifyCache } from '../../src/distill/target-cache.js';
import {
  ConfigError,
  type DistillSetup,
  distill,
  FileError,
  Loader,
  models,
  openDataset,
  ScriptTeacher,
  Teacher,
  TeacherError,
} from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacherFile = join(packageRoot, 'assets/shapes-teacher.pt');
const data = await openDataset('shapes:2000?test=24');

let count = 0;
const newFolder = () => join(folder, String(count++));

/** Final weights, the epochs' terms, and how often the teacher ran. */
async function trained(
  options: Partial<DistillSetup>,
  teacher = ScriptTeacher.load(teacherFile),
  notices: string[] = [],
) {
  const out = newFolder();
  const forward = vi.spyOn(teacher, 'forward');
  const terms: Record<string, number>[] = [];
  const setup = { teacher, student: 'resnet8', data, epochs: 3, trainImages: 96, batchSize: 32, lr: 0.01 };
  try {
    for await (const event of distill({ ...setup, out, ...options }))
      if (event.type === 'epoch') terms.push(event.terms);
      else if (event.type === 'notice') notices.push(event.message);
  } finally {
    teacher.dispose();
  }
  const calls = forward.mock.calls.length;
  return { weights: weightBytes(join(out, 'student.safetensors')), terms, calls };
}
const filledRows = (folder: string) => {
  const sums = readFileSync(join(folder, 'sums.bin'));
  return [...Array(sums.length / 4).keys()].filter((row) => sums.readInt32LE(4 * row) !== 0) as [number];
};
const cacheIn = (directory: string) => join(directory, readdirSync(directory)[0] as string);

describe('a cache of the teacher', () => {
  it('gives the same weights whether it was empty or full, and then no teacher runs', async () => {
    const teacherCache = newFolder();
    // Its plain form, whose runs can be counted.
    const options = { teacherCache, views: 2, accelerate: false };
    const empty = await trained(options);
    const full = await trained(options);
    expect(full.weights.equals(empty.weights)).toBe(true);
    // Three batches in each of two views, but for those that measure, check and rehearse.
    expect(empty.calls - full.calls).toBeGreaterThanOrEqual(5);
    const other = await trained({ ...options, method: 'kd', epochs: 2, seed: 7 });
    expect(other.calls).toBeLessThanOrEqual(full.calls);
    expect(readdirSync(teacherCache)).toHaveLength(1);
  });

  it('holds what the teacher gives for these views', async () => {
    const live = await trained({ views: 2, dataSeed: 0 });
    for (const cacheDtype of ['float32', 'float16'] as const) {
      const kept = await trained({ views: 2, teacherCache: newFolder(), cacheDtype });
      for (const [epoch, terms] of live.terms.entries()) {
        for (const [name, value] of Object.entries(terms)) {
          const relative = Math.abs((kept.terms[epoch]?.[name] ?? Number.NaN) - value) / value;
          expect(relative).toBeLessThan(cacheDtype === 'float32' ? 1e-4 : 5e-3);
        }
      }
    }
  });

  it('is another one for another teacher, seed, augmentation or part of the data', async () => {
    const teacherCache = newFolder();
    const once = { teacherCache, views: 1, epochs: 1 };
    await trained(once);
    await trained({ ...once, dataSeed: 3 });
    await trained({ ...once, augment: false });
    await trained({ ...once, cacheDtype: 'float32' });
    expect(readdirSync(teacherCache)).toHaveLength(4);
    // The same images, whatever part of them is trained on.
    await trained({ ...once, trainImages: 48, validation: 0.25 });
    expect(readdirSync(teacherCache)).toHaveLength(4);
  });

  it('of another teacher is noticed before it trains anything', async () => {
    const teacherCache = newFolder();
    const once = { teacherCache, views: 1, epochs: 1 };
    await trained(once);
    const [file, sums] = ['features.bin', 'sums.bin'].map((name) => join(cacheIn(teacherCache), name)) as [
      string,
      string,
    ];
    const bytes = readFileSync(file);
    const other = bytes.map((byte, i) => (i % 2 === 1 ? byte ^ 0x80 : byte));
    writeFileSync(file, other);
    // As if it had been written so.
    const width = bytes.length / (readFileSync(sums).length / 4);
    const forged = Buffer.from(readFileSync(sums));
    for (let row = 0; row < forged.length / 4; row++)
      if (forged.readInt32LE(4 * row) !== 0)
        forged.writeInt32LE(crc32(other.subarray(row * width, (row + 1) * width)) | 0, 4 * row);
    writeFileSync(sums, forged);
    await expect(trained(once)).rejects.toThrow(TeacherError);
    await expect(trained(once)).rejects.toThrow(/are not what the teacher gives/);
    truncateSync(file, bytes.length - 2);
    await expect(trained(once)).rejects.toThrow(FileError);
    await expect(trained(once)).rejects.toThrow(/features.bin has \d+ bytes, not \d+/);
  });

  it('whose files are damaged is repaired, says so, and changes no weight', async () => {
    const teacherCache = newFolder();
    const options = { teacherCache, views: 2, epochs: 2 };
    const empty = await trained(options);
    const folder = cacheIn(teacherCache);
    const before = verifyCache(folder);
    expect(before).toMatchObject({ count: 4000, absent: 4000 - 2 * 96, damaged: 0 });
    const file = join(folder, 'features.bin');
    const bytes = readFileSync(file);
    const [first] = filledRows(folder);
    const width = bytes.length / before.count;
    bytes[first * width + 7] = (bytes[first * width + 7] as number) ^ 4;
    writeFileSync(file, bytes);
    expect(verifyCache(folder)).toMatchObject({ damaged: 1 });
    const notices: string[] = [];
    const again = await trained(options, undefined, notices);
    expect(again.weights.equals(empty.weights)).toBe(true);
    expect(notices.join()).toMatch(/damaged vectors in .*: 1; the teacher computes them again/);
    expect(verifyCache(folder)).toEqual(before);
  });

  it('whose file is cut off while it is in use ends with an error, and not the process', () => {
    const cache = TargetCache.open(newFolder(), {
      ...{ teacher: 't', data: 'd', seed: 0, views: 1, images: 5000, width: 64, seen: {}, dtype: 'float32' },
    });
    const views = { number: 0, images: [4999] } as never;
    torch.scope(() => cache.write(views, torch.ones([1, 64])));
    expect(torch.scope(() => cache.read(views)?.sum().item())).toBe(64);
    truncateSync(join(cache.folder, 'features.bin'), 4096);
    expect(() => torch.scope(() => cache.read(views))).toThrow(/became shorter/);
    cache.dispose();
  });

  it('is refused where it cannot serve', async () => {
    const teacherCache = newFolder();
    await expect(trained({ teacherCache, augmentation: { mixup: { alpha: 1 } } })).rejects.toThrow(ConfigError);
    const model = Teacher.of(models.create('resnet8', { numClasses: 12 }), 'mine');
    await expect(trained({ teacherCache, method: 'at' }, model as ScriptTeacher)).rejects.toThrow(ConfigError);
    await expect(trained({ teacherCache, views: 1e9 })).rejects.toThrow(/MiB are needed, \d+ MiB are free/);
    expect(readdirSync(teacherCache)).toEqual([]);
  });

  it('leaves no tensor behind', async () => {
    const before = torch.memory().tensors;
    await trained({ teacherCache: newFolder(), views: 1, epochs: 1 });
    // Less where the collector found what earlier tests left to it.
    expect(torch.memory().tensors).toBeLessThanOrEqual(before);
  });
});

it('a teacher that cannot be recorded as a graph runs as it is', async () => {
  const plain = await trained({ epochs: 1, accelerate: false });
  const teacher = ScriptTeacher.load(teacherFile);
  vi.spyOn(teacher, 'accelerated').mockImplementation(() => {
    throw new Error('nothing can be recorded');
  });
  const { weights } = await trained({ epochs: 1 }, teacher);
  // The files differ in nothing: accelerate is not a part of a student.
  expect(weights.equals(plain.weights)).toBe(true);
});

it('views come again where their number is fixed', () => {
  const loader = new Loader(data, 'train', { batchSize: 4, augment: true, views: 2 });
  const images = [0, 1, 2].map((epoch) => {
    loader.begin(epoch);
    return torch.scope(() => loader.batch(0).images.flatten().tolist() as number[]);
  });
  expect(images[2]).toEqual(images[0]);
  expect(images[1]).not.toEqual(images[0]);
  loader.dispose();
});
