import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SampleRandom } from '../../src/data/philox.js';
import { loadNumpyPickle } from '../../src/files/numpy-pickle.js';
import { DataError, type ImageSet, openDataset, type Split } from '../../src/index.js';
import { FileError, SrrlError } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-cifar-'));
afterAll(() => rmSync(root, { recursive: true }));
const fixtures = fixturePath('cifar-python');

/** As test/fixtures/make/cifar.py makes them. */
const rows = (...numbers: number[]) =>
  Uint8Array.from({ length: numbers.length * 3072 }, (_, i) => {
    const image = numbers[Math.floor(i / 3072)] as number;
    return (image * 89 + (i % 3072) * 7) % 251;
  });
const images = (split: Split) => Buffer.from((split as ImageSet).images);

/** A copy of a fixture that a test may spoil. */
function copy(name: string): string {
  const folder = mkdtempSync(join(root, 'copy-'));
  cpSync(join(fixtures, name), folder, { recursive: true });
  return folder;
}

/** Protocol 2, which calls `module.name` with one text. */
const calling = (module: string, name: string) =>
  Buffer.concat([Buffer.from(`\x80\x02c${module}\n${name}\nU\x02id\x85R.`, 'latin1')]);

describe('CIFAR as Python pickles', () => {
  it.each(['python2', 'python2/cifar-100-python', 'protocol2', 'protocol4', 'protocol5'])(
    'CIFAR-100 is read from %s',
    async (name) => {
      const data = await openDataset(`cifar100:${join(fixtures, name)}`);
      expect([[...data.train.labels], [...data.test.labels]]).toEqual([
        [7, 99, 0],
        [42, 1],
      ]);
      expect(images(data.train).equals(rows(0, 1, 2))).toBe(true);
      expect(images(data.test).equals(rows(100, 101))).toBe(true);
      expect([data.classes.length, data.classes[99]]).toEqual([100, 'fine 99']);
    },
  );

  it('CIFAR-10 is read from its batches, whose folder may be named itself or by its parent', async () => {
    for (const name of ['python2', 'python2/cifar-10-batches-py']) {
      const data = await openDataset(`cifar10:${join(fixtures, name)}`);
      expect([...data.train.labels, ...data.test.labels]).toEqual([1, 2, 3, 4, 5, 9]);
      expect(images(data.train).equals(rows(1, 2, 3, 4, 5))).toBe(true);
      expect(images(data.test).equals(rows(0))).toBe(true);
      expect(data.classes.slice(0, 2)).toEqual(['airplane', 'automobile']);
    }
  });

  it('is as good without the file of names, and does not hide the binary form', async () => {
    const folder = copy('protocol4');
    rmSync(join(folder, 'meta'));
    expect((await openDataset(`cifar100:${folder}`)).classes[3]).toBe('class 3');
    for (const name of ['train', 'test']) writeFileSync(join(folder, `${name}.bin`), Buffer.alloc(3074, 5));
    expect([...(await openDataset(`cifar100:${folder}`)).train.labels]).toEqual([5]);
  });

  it('that is missing or something else is refused by name', async () => {
    const folder = copy('protocol4');
    rmSync(join(folder, 'test'));
    await expect(openDataset(`cifar100:${folder}`)).rejects.toThrow(/test is missing/);
    await expect(openDataset(`cifar10:${folder}`)).rejects.toThrow(/data_batch_1\.bin is missing.*cifar-10-batches-py/);
    rmSync(join(folder, 'train'));
    mkdirSync(join(folder, 'train'));
    await expect(openDataset(`cifar100:${folder}`)).rejects.toThrow(/train\.bin is missing/);
    const other = copy('python2/cifar-10-batches-py');
    cpSync(join(other, 'data_batch_1'), join(other, 'train'));
    await expect(openDataset(`cifar100:${other}`)).rejects.toThrow(/no list 'fine_labels'/);
    cpSync(join(other, 'batches.meta'), join(other, 'train'));
    await expect(openDataset(`cifar100:${other}`)).rejects.toThrow(/'data' is not a uint8 array of 3072 columns/);
    const labels = copy('protocol4');
    const bytes = readFileSync(join(labels, 'train'));
    bytes[bytes.indexOf(Buffer.from([75, 7, 75, 99])) + 3] = 100;
    writeFileSync(join(labels, 'train'), bytes);
    await expect(openDataset(`cifar100:${labels}`)).rejects.toThrow(/not a whole number from 0 to 99/);
  });
});

describe('pickles that are no data', () => {
  const file = join(root, 'pickle');
  const load = (bytes: Buffer) => {
    writeFileSync(file, bytes);
    return loadNumpyPickle(file);
  };

  it.each([
    ['os', 'system'],
    ['__builtin__', 'eval'],
    ['numpy', 'load'],
    ['numpy.core.multiarray', 'scalar'],
    ['numpy', '__proto__'],
    ['torch._utils', '_rebuild_tensor_v2'],
  ])('name %s.%s in vain', (module, name) => {
    expect(() => load(calling(module, name))).toThrow(FileError);
    expect(() => load(calling(module, name))).toThrow(`${module}.${name}`);
  });

  it('with arrays of objects, other sizes or another state are refused', () => {
    expect(() => load(calling('numpy', 'dtype'))).toThrow(/array of 'id'/);
    expect(() => load(calling('numpy', 'ndarray'))).toThrow(/cannot be called/);
    expect(() => load(calling('numpy.core.multiarray', '_reconstruct'))).toThrow(/is not valid/);
    const whole = readFileSync(join(fixtures, 'protocol4/train'));
    const spoilt = (from: number[], to: number[]) => {
      const bytes = Buffer.from(whole);
      bytes.set(to, bytes.indexOf(Buffer.from(from)));
      return bytes;
    };
    // 3 rows of 3072 become 255, of which far fewer bytes are there; and the state becomes a number.
    expect(() => load(spoilt([75, 3, 77, 0, 12], [75, 255, 77, 0, 12]))).toThrow(/has 9216 bytes, and should have/);
    expect(() => load(spoilt([40, 75, 3, 0x8c, 1, 124], [75, 3, 98]))).toThrow(/type of an array/);
  });

  it('or damaged, are read or refused, never anything else', async () => {
    for (const [number, name] of ['python2/cifar-100-python', 'protocol2', 'protocol4', 'protocol5'].entries()) {
      const whole = readFileSync(join(fixtures, name, 'train'));
      for (let part = 0; part < 24; part++)
        expect(() => load(whole.subarray(0, Math.floor((whole.length * part) / 24)))).toThrow(FileError);
      const folder = copy(name);
      for (let trial = 0; trial < 80; trial++) {
        const random = new SampleRandom(3, number, trial);
        const bytes = Buffer.from(whole);
        // Most of the file is pixels; what matters lies at its ends.
        const at = () => (random.below(2) ? random.below(700) : whole.length - 1 - random.below(120));
        for (let flips = 1 + random.below(3); flips > 0; flips--) bytes[at()] = random.below(256);
        writeFileSync(join(folder, 'train'), bytes);
        await openDataset(`cifar100:${folder}`).catch((error: unknown) => {
          if (!(error instanceof SrrlError)) throw new Error(`${name}, trial ${trial}`, { cause: error });
          expect(error).toBeInstanceOf(DataError);
        });
      }
    }
  });
});

const shared = join(process.env.SRRL_TEST_DATA ?? '../shared/data', 'cifar-100-binary');

describe.skipIf(!process.env.SRRL_PYTHON || !existsSync(shared))('the real images', () => {
  it.each([2, 4, 5])('are the same pickled by protocol %i as in the binary form', async (protocol) => {
    const [binary, pickled] = ['binary', 'pickled'].map((name) => mkdtempSync(join(root, name))) as [string, string];
    const { stdout } = spawnSync('xz', ['-dc', join(shared, 'test.bin.xz')], {
      maxBuffer: 2 ** 26,
      encoding: 'buffer',
    });
    for (const [name, first] of [
      ['train', 0],
      ['test', 400],
    ] as const)
      writeFileSync(join(binary, `${name}.bin`), stdout.subarray(first * 3074, (first + 300) * 3074));
    const program = `
import sys, pickle, numpy as np
binary, pickled, protocol = sys.argv[1:]
for name in ["train", "test"]:
    records = np.fromfile(f"{binary}/{name}.bin", np.uint8).reshape(-1, 3074)
    content = {"data": records[:, 2:].copy(), "fine_labels": records[:, 1].tolist()}
    pickle.dump(content, open(f"{pickled}/{name}", "wb"), int(protocol))
`;
    const made = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program, binary, pickled, String(protocol)], {
      encoding: 'utf8',
    });
    expect(made.stderr).toBe('');
    const [expected, found] = [await openDataset(`cifar100:${binary}`), await openDataset(`cifar100:${pickled}`)];
    for (const split of ['train', 'test'] as const) {
      expect(found[split].labels).toEqual(expected[split].labels);
      expect(found[split].labels).toHaveLength(300);
      expect(images(found[split]).equals(images(expected[split]))).toBe(true);
    }
  });
});
