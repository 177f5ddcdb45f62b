/** The folder that keeps what was read over the network: its bounds, its damages, and several processes in it. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, type EncodedSet, openDataset } from '../../../src/index.js';
import { packageRoot } from '../../helpers/cli.js';
import { FileServer } from '../../helpers/file-server.js';
import { contentOf, makeShards } from './shards.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-cache-'));
let server: FileServer;
let caches = 0;
const newCache = () => join(root, `cache-${caches++}`);
const gib = (bytes: number) => bytes / 2 ** 30;

beforeAll(async () => {
  await makeShards(join(root, 'small'), 3, 6, 0);
  await makeShards(join(root, 'other'), 3, 6, 3000);
  await makeShards(join(root, 'large'), 2, 16, 300_000);
  server = await FileServer.over(root);
});
afterEach(() => server.reset());
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const address = (name: string, last = 2) => `shards:${server.url}/${name}/{train,val}-{000..00${last}}.tar?size=24`;
const dataIn = (cache: string) =>
  readdirSync(cache)
    .filter((name) => name.endsWith('.data'))
    .map((name) => join(cache, name));
/** Waits for what is downloaded behind the opening: a data set is open once its headers are read. */
const filled = async (cache: string, shards = 6) => {
  while (dataIn(cache).length < shards || readdirSync(cache).some((name) => /\.(part|lock)$/.test(name)))
    await setTimeout(20);
};
const bytesIn = (cache: string) => readdirSync(cache).reduce((sum, name) => sum + statSync(join(cache, name)).size, 0);
const same = async (data: Dataset, name: string) => {
  const local = await openDataset(`shards:${join(root, name)}?size=24`);
  for (const split of ['train', 'test'] as const)
    expect(await contentOf(data, split)).toEqual(await contentOf(local, split));
};
/** As if everything in the cache had last been used long ago, by a process that has ended. */
const age = (cache: string, minutes: number) => {
  const then = new Date(Date.now() - minutes * 60_000);
  for (const name of readdirSync(cache)) if (!name.endsWith('.data')) utimesSync(join(cache, name), then, then);
};

describe('a file in the cache', () => {
  it.each([
    ['cut off', (file: string) => truncateSync(file, 700)],
    ['longer than it was', (file: string) => appendFileSync(file, 'more')],
    ['written over', (file: string) => writeFileSync(file, readFileSync(file).fill(7, 600, 700))],
    [
      'written over by something that hides it, a day after its checksum was compared',
      (file: string) => {
        const { mtime, mtimeMs } = statSync(file);
        writeFileSync(file, readFileSync(file).fill(7, 600, 700));
        utimesSync(file, mtime, mtime);
        const facts = file.replace('.data', '.json');
        // A time that utimes can set, in whole milliseconds or less.
        const { checked, ...rest } = JSON.parse(readFileSync(facts, 'utf8'));
        expect(mtimeMs).toBe(rest.written);
        const written = statSync(file).mtimeMs;
        writeFileSync(facts, JSON.stringify({ ...rest, written, checked: checked - 86_500_000 }));
      },
    ],
    ['without its description', (file: string) => rmSync(file.replace('.data', '.json'))],
    ['with a description that is none', (file: string) => writeFileSync(file.replace('.data', '.json'), '{"a":')],
    ['with an index that is none', (file: string) => writeFileSync(file.replace('.data', '.index'), '[1]')],
    ['gone', (file: string) => rmSync(file)],
  ])('that is %s is fetched again', async (_name, damage) => {
    const shardCache = newCache();
    await openDataset(address('small'), { shardCache });
    await filled(shardCache);
    for (const file of dataIn(shardCache)) damage(file);
    // Other options, so that nothing is remembered of the first time.
    await same(await openDataset(address('small'), { shardCache, shardRetries: 6 }), 'small');
  });

  it('that is cut off or removed while it is in use is fetched again', async () => {
    const shardCache = newCache();
    const data = await openDataset(address('small'), { shardCache });
    await filled(shardCache);
    for (const [i, file] of dataIn(shardCache).entries()) {
      if (i % 2 === 0) rmSync(file);
      else truncateSync(file, 600);
    }
    await same(data, 'small');
  });
});

describe('the cache', () => {
  it('removes what was used least recently, and nothing else in its folder', async () => {
    const shardCache = newCache();
    const options = { shardCache };
    await openDataset(address('small'), options);
    await filled(shardCache);
    const first = dataIn(shardCache);
    writeFileSync(join(shardCache, 'mine.txt'), 'x'.repeat(1000));
    const limit = bytesIn(shardCache) + 60_000;
    age(shardCache, 30);
    // Room for about half of the others next to those: the oldest go.
    await same(
      await openDataset(address('other'), { shardCache, shardCacheSize: gib(limit), shardRetries: 6 }),
      'other',
    );
    // A download that begins has its file at once, without content, and only then looks whether there is room.
    await filled(shardCache, 0);
    expect(bytesIn(shardCache) - 1000).toBeLessThanOrEqual(limit);
    expect(first.filter((file) => existsSync(file)).length).toBeLessThan(first.length);
    expect(existsSync(join(shardCache, 'mine.txt'))).toBe(true);
  });

  it('that is smaller than a shard leaves all of it on the server', async () => {
    const shardCache = newCache();
    const data = await openDataset(address('large', 1), { shardCache, shardCacheSize: gib(2 ** 20) });
    await same(data, 'large');
    await same(data, 'large');
    expect(dataIn(shardCache)).toEqual([]);
    expect(bytesIn(shardCache)).toBeLessThan(2 ** 20);
    expect(data.notices?.join()).toMatch(/the rest is read over the network in every epoch\. Raise --shard-cache-size/);
  });

  it('that cannot be written is used as it is', async () => {
    const file = join(root, 'a file');
    writeFileSync(file, '');
    const data = await openDataset(address('small'), { shardCache: join(file, 'cache') });
    await same(data, 'small');
    expect(data.notices?.join()).toMatch(/a file\/cache cannot be written .*in every epoch/);
    server.ranges = false;
    await expect(openDataset(address('small'), { shardCache: join(file, 'cache'), shardRetries: 6 })).rejects.toThrow(
      /train-000\.tar cannot be kept in the shard cache .*a file\/cache.*choose another --shard-cache/,
    );
  });

  it('holds no torn file when a download fails, and removes what a killed process left', async () => {
    const shardCache = newCache();
    mkdirSync(shardCache);
    const id = '0'.repeat(32);
    const left = [`${id}.12345678-1-1.00000000.part`, `${id}.lock`].map((name) => join(shardCache, name));
    for (const name of left) writeFileSync(name, '12345678-1-1');
    age(shardCache, 5);
    server.fault = ({ url }) => (url.includes('val-001') ? { closeAfter: 3000 } : undefined);
    await expect(openDataset(address('small'), { shardCache, shardRetries: 1 })).rejects.toThrow(/val-001\.tar/);
    const names = readdirSync(shardCache);
    expect(names.filter((name) => name.endsWith('.part') || name.endsWith('.lock'))).toEqual([]);
    server.fault = () => undefined;
    await same(await openDataset(address('small'), { shardCache, shardRetries: 6 }), 'small');
  });
});

describe('several processes', () => {
  const program = `
    import { openDataset } from 'srrl';
    const { train } = await openDataset(process.argv[1], { shardCache: process.argv[2] });
    let bytes = 0;
    for (let i = 0; i < train.labels.length; i++) bytes += (await train.read(i)).length;
    console.log(bytes);`;
  const started = (source: string, cache: string) => {
    const args = ['--input-type=module', '-e', program, source, cache];
    const child = spawn(process.execPath, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const ended = new Promise<string>((resolve) =>
      child.once('close', (code, signal) => resolve(`${text.trim()} ${code ?? signal}`)),
    );
    return { child, ended };
  };

  it.each([true, false])(
    'fill one cache, each file once (ranges: %s)',
    async (ranges) => {
      server.ranges = ranges;
      server.fault = () => ({ delay: 50 });
      const shardCache = newCache();
      const outputs = await Promise.all([1, 2, 3].map(() => started(address('other'), shardCache).ended));
      const set = (await openDataset(`shards:${join(root, 'other')}?size=24`)).train as EncodedSet;
      const sizes = await Promise.all([...set.labels].map(async (_, i) => (await set.read(i)).length));
      const sum = sizes.reduce((total, size) => total + size, 0);
      expect(outputs).toEqual(outputs.map(() => `${sum} 0`));
      expect(readdirSync(shardCache).filter((name) => /part|lock/.test(name))).toEqual([]);
      // Without ranges, classes.txt as well.
      expect(dataIn(shardCache)).toHaveLength(ranges ? 6 : 7);
      if (!ranges) return;
      const whole = server.asked.filter(({ url, range = '' }) => url.includes('.tar') && !range.endsWith('-511'));
      // What another one is downloading is read part by part meanwhile, never downloaded twice.
      const length = statSync(join(root, 'other', 'train-000.tar')).size;
      expect(whole.filter(({ range = '' }) => range === `bytes=0-${length - 1}` || range === '').length).toBeLessThan(
        7,
      );
    },
    60_000,
  );

  it('that are killed in the middle of a download leave nothing that anybody would take for whole', async () => {
    const shardCache = newCache();
    server.fault = ({ url, range = '' }) =>
      url.includes('train-001') && !range.endsWith('-511') ? { stallAfter: 2048 } : undefined;
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const { child, ended } = started(address('small'), shardCache);
      await expect.poll(() => existsSync(shardCache) && dataIn(shardCache).length, { timeout: 30_000 }).toBe(5);
      await expect.poll(() => readdirSync(shardCache).some((name) => name.endsWith('.part'))).toBe(true);
      child.kill(signal);
      expect(await ended).toBe(` ${signal}`);
      expect(dataIn(shardCache)).toHaveLength(5);
    }
    server.fault = () => undefined;
    await same(await openDataset(address('small'), { shardCache }), 'small');
    expect(readdirSync(shardCache).filter((name) => /part|lock/.test(name))).toEqual([]);
  }, 60_000);
});
