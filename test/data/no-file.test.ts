/** What lies where a data set's files should be, and is none: never waited for, never a message without its name. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError, openDataset } from '../../src/index.js';
import { fixturePath } from '../helpers/inputs.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-no-file-'));
afterAll(() => rmSync(root, { recursive: true }));

const makers = {
  folder: (path: string) => mkdirSync(path),
  pipe: (path: string) => execFileSync('mkfifo', [path]),
  'link to a folder': (path: string) => symlinkSync('/', path),
};

const files: [source: string, file: string][] = [
  ['cifar10', 'data_batch_1.bin'],
  ['cifar100', 'train.bin.xz'],
  ['mnist', 'train-images-idx3-ubyte'],
  ['fashion-mnist', 'train-images-idx3-ubyte.gz'],
];

describe.each(Object.entries(makers))('a %s in the place of a file', (what, make) => {
  it.each(files)('of %s is refused by name', async (kind, file) => {
    const folder = join(root, `${kind} ${what}`);
    mkdirSync(folder);
    make(join(folder, file));
    const error = await openDataset(`${kind}:${folder}`).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain(file);
    expect((error as Error).message).toMatch(/is (a folder|not a regular file), where a file should be/);
  });

  it('of a packed data set is refused by name', async () => {
    const file = join(root, `packed ${what}`);
    make(file);
    await expect(openDataset(`packed:${file}`)).rejects.toThrow(`${file} is `);
  });
});

describe('parquet files', () => {
  const sample = fixturePath('parquet/hf');

  it('are found through links, also in folders named like files; hidden ones and what is not a file are skipped', async () => {
    const [plain, path] = [join(root, 'plain'), join(root, 'parquet')];
    cpSync(sample, plain, { recursive: true });
    const whole = await openDataset(`parquet:${plain}?size=8`);
    mkdirSync(join(path, '.ipynb_checkpoints'), { recursive: true });
    mkdirSync(join(path, 'train.parquet'));
    for (const file of ['.ipynb_checkpoints/train-0.parquet', '._train-0.parquet'])
      writeFileSync(join(path, file), 'x');
    symlinkSync('nowhere', join(path, 'train-9.parquet'));
    symlinkSync(plain, join(path, 'linked'));
    const data = await openDataset(`parquet:${path}?size=8`);
    expect([...data.train.labels]).toEqual([...whole.train.labels]);
    expect(data.skipped).toBe('1 broken link, 1 hidden');
  });
});
