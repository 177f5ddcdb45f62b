/** Shards over HTTP, from a server that fails in every way. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, type EncodedSet, Loader, openDataset } from '../../../src/index.js';
import torch from '../../../src/torch.js';
import { FileServer } from '../../helpers/file-server.js';
import { contentOf, makeShards } from './shards.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-http-'));
const [small, large] = [join(root, 'small'), join(root, 'large')];
let server: FileServer;
let caches = 0;
/** Options with an empty cache, so that nothing is there yet. */
const fresh = (more: object = {}) => ({ shardCache: join(root, `cache-${caches++}`), ...more });

beforeAll(async () => {
  await makeShards(small, 4, 5, 0);
  await makeShards(large, 2, 18, 300_000);
  server = await FileServer.over(root);
});
afterEach(() => server.reset());
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const smallAddress = () => `shards:${server.url}/small/{train,val}-{000..003}.tar?size=24`;
const largeAddress = () => `shards:${server.url}/large/{train-{000..001},val-{000..001}}.tar?size=24`;
const same = async (data: Dataset, folder: string) => {
  const local = await openDataset(`shards:${folder}?size=24`);
  for (const split of ['train', 'test'] as const)
    expect(await contentOf(data, split)).toEqual(await contentOf(local, split));
  expect([data.classes, data.skipped]).toEqual([local.classes, local.skipped]);
};
const fails = async (source: string, message: RegExp, options: object = {}) => {
  const error = await openDataset(source, { shardRetries: 0, ...fresh(), ...options }).catch((found: unknown) => found);
  expect(error).toMatchObject({ code: 'ERR_DATA', message: expect.stringMatching(message) });
  return error as Error;
};

describe('shards over HTTP', () => {
  it('are those of the folder, and are read once', async () => {
    const options = fresh();
    await same(await openDataset(smallAddress(), options), small);
    expect(server.count('train-000.tar')).toBe(2);
    const bytes = server.asked.length;
    await same(await openDataset(smallAddress(), options), small);
    // Each is looked at, and nothing is downloaded.
    expect(server.asked.slice(bytes).filter(({ url }) => url.includes('.tar'))).toHaveLength(8);
    expect(
      server.asked.slice(bytes).every(({ url, range }) => url.includes('classes') || range === 'bytes=0-511'),
    ).toBe(true);
  });

  it('with large images are brought into the cache as they are used', async () => {
    const options = fresh();
    const data = await openDataset(largeAddress(), options);
    await same(data, large);
    const cached = () => readdirSync(options.shardCache).filter((name) => name.endsWith('.data'));
    await expect.poll(() => cached().length, { timeout: 20_000 }).toBe(4);
    await same(data, large);
    const requests = server.asked.length;
    await same(data, large);
    expect(server.asked.length).toBe(requests);
  });

  it('with large images are opened from a few of their bytes where the cache has no room', async () => {
    const options = fresh({ shardCacheSize: 1e-3 });
    const data = await openDataset(largeAddress(), options);
    const read = server.asked.reduce((sum, { range = '' }) => {
      const [, begin, end] = range.match(/(\d+)-(\d+)/) ?? [];
      return sum + Number(end) - Number(begin) + 1;
    }, 0);
    const length = readFileSync(join(large, 'train-000.tar')).length;
    expect(length).toBeGreaterThan(2 ** 22);
    expect(read).toBeLessThan(length);
    await same(data, large);
    // What the shards hold is remembered.
    server.asked.length = 0;
    await openDataset(largeAddress(), options);
    expect(server.asked.filter(({ url, range }) => url.includes('.tar') && range !== 'bytes=0-511')).toEqual([]);
  });

  it('give a loader the same batches as those of the folder, whatever the rank', async () => {
    const [near, far] = [await openDataset(`shards:${large}?size=24`), await openDataset(largeAddress(), fresh())];
    const batches = async (data: Dataset, rank: number, part?: number) => {
      const shared = { batchSize: 6, shuffle: true, augment: true, seed: 3, rank, worldSize: 2 };
      const loader = new Loader(data, 'train', { ...shared, ...(part !== undefined && { part }) });
      const seen: unknown[] = [];
      for (const epoch of [0, 1]) {
        loader.begin(epoch);
        // A resumed run begins in the middle.
        for (let step = epoch; step < loader.steps; step++) {
          await loader.ready(step);
          torch.scope(() => {
            const { images, indices } = loader.batch(step);
            seen.push([indices.tolist(), images.sum().item(), images.abs().max().item()]);
          });
        }
      }
      loader.dispose();
      return seen;
    };
    for (const rank of [0, 1])
      for (const part of [undefined, 6])
        expect(await batches(far, rank, part)).toEqual(await batches(near, rank, part));
  });

  it('are read whole where the server ignores ranges', async () => {
    server.ranges = false;
    await same(await openDataset(smallAddress(), fresh()), small);
    await same(await openDataset(largeAddress(), fresh()), large);
    await fails(largeAddress(), /ignores range requests.*raise --shard-cache-size/s, { shardCacheSize: 0.01 });
  });

  it('are named in a list, as presigned addresses are', async () => {
    const list = join(root, 'list.txt');
    const names = readdirSync(small).filter((name) => name.endsWith('.tar'));
    const lines = names.reverse().map((name) => `${server.url}/small/${name}?X-Amz-Signature=${name}-secret`);
    writeFileSync(list, ['# shards', '', ...lines, `${server.url}/small/classes.txt?sig=1`].join('\n'));
    const data = await openDataset(`shards:${list}?size=24`, fresh());
    await same(data, small);
    expect(data.source).toBe(`shards:${list}?size=24`);
    expect(server.asked.every(({ url }) => /(-secret|sig=1)$/.test(url))).toBe(true);
    expect((data.train as EncodedSet).nameOf(0)).toMatch(/train-000\.tar$/);
    writeFileSync(list, `${server.url}/small/train-000.tar?a\n${server.url}/small/train-000.tar?b`);
    await fails(`shards:${list}`, /train-000\.tar is named twice/);
  });

  it('need both splits, and names that say which', async () => {
    await fails(`shards:${server.url}/small/train-{000..003}.tar`, /no shard that begins with val- or test-.*\{train-/);
    await fails(`shards:${server.url}/small/a-000.tar`, /a-000\.tar belongs to no split/);
    await fails(`folder:${server.url}/small`, /takes no address; shards: and packed:/);
    await fails(`shards:ftp://host/train-0.tar`, /begin with https:\/\/, http:\/\/ or s3:\/\//);
  });
});

describe('a packed file over HTTP', () => {
  it('is that of the disk', async () => {
    const file = join(root, 'shapes.pack');
    execFileSync(process.execPath, ['bin/srrl.js', 'pack', 'shapes:24?test=24', '--out', file]);
    const options = fresh();
    const [near, far] = [
      await openDataset(`packed:${file}`),
      await openDataset(`packed:${server.url}/shapes.pack?sig=secret`, options),
    ];
    expect(far.source).toBe(`packed:${server.url}/shapes.pack`);
    const sums = [near, far].map((data) => {
      const loader = new Loader(data, 'train', { batchSize: 24 });
      const sum = torch.scope(() => loader.batch(0).images.double().sum().item());
      loader.dispose();
      return sum;
    });
    expect(sums[0]).toBe(sums[1]);
    writeFileSync(join(root, 'no.pack'), 'nothing');
    await fails(`packed:${server.url}/no.pack`, /no\.pack is not a file of srrl pack/);
    await fails(`packed:${server.url}/shapes.pack`, /cannot be kept in the shard cache .*raise --shard-cache-size/, {
      shardCacheSize: 1e-6,
    });
  });
});

describe('a server that', () => {
  const first = (name: string, fault: object, times = 1) => {
    server.fault = ({ url }, before) => (url.includes(name) && before < times ? fault : undefined);
  };

  it.each([
    // Looked at three times, and read.
    ['fails', { status: 503, headers: { 'retry-after': '1' } }, 4],
    ['fails by itself', { status: 500 }, 4],
    // What it says first is enough for a look.
    ['closes the connection at once', { closeAfter: 0 }, 3],
  ])('%s twice is asked again', async (_name, fault, requests) => {
    first('train-001.tar', fault, 2);
    await same(await openDataset(smallAddress(), fresh()), small);
    expect(server.count('train-001.tar')).toBe(requests);
  });

  it('closes the connection in the middle is asked for the rest', async () => {
    const cut = 3 * 2 ** 20;
    server.fault = ({ range = '' }) => (Number(range.split('-')[1]) > cut ? { closeAfter: cut } : undefined);
    const options = fresh();
    const data = await openDataset(largeAddress(), options);
    await same(data, large);
    const cached = () => readdirSync(options.shardCache).filter((name) => name.endsWith('.data'));
    await expect.poll(() => cached().length, { timeout: 20_000 }).toBe(4);
    await same(data, large);
    expect(server.asked.some(({ range = '' }) => range.startsWith('bytes=3'))).toBe(true);
  });

  it('closes the connection in the middle is asked for all of it where it ignores ranges', async () => {
    server.ranges = false;
    first('train-001.tar', { closeAfter: 5000 }, 3);
    await same(await openDataset(smallAddress(), fresh()), small);
  });

  it('stalls is given up after the time limit, and asked again', async () => {
    first('train-001.tar', { stallAfter: 100 }, 2);
    await same(await openDataset(smallAddress(), fresh({ shardTimeout: 2 })), small);
    server.fault = ({ url }) => (url.includes('train-001.tar') ? { stallAfter: 100 } : undefined);
    await fails(smallAddress(), /train-001\.tar cannot be read: no byte has come for 2 s, also after 1 retries/, {
      shardTimeout: 2,
      shardRetries: 1,
    });
  });

  it('sends another length than it says is an error', async () => {
    first('train-001.tar', { headers: { 'content-length': '999999' }, stallAfter: 1 }, 99);
    await fails(smallAddress(), /train-001\.tar cannot be read/, { shardTimeout: 2 });
    server.ranges = false;
    first('train-001.tar', { headers: { 'content-length': undefined, 'transfer-encoding': 'chunked' } }, 99);
    await fails(smallAddress(), /does not say how long the file is/);
    server.ranges = true;
    first('train-001.tar', { headers: { 'content-range': 'bytes 7-518/99999' } }, 99);
    await fails(smallAddress(), /train-001\.tar .*asked for byte 0/);
  });

  it('exchanges a file between requests is an error, and the new one is read at the next start', async () => {
    const options = fresh({ shardCacheSize: 1e-3 });
    const data = await openDataset(largeAddress(), options);
    const other = readFileSync(join(large, 'train-001.tar'));
    server.contents.set('large/train-000.tar', Buffer.from(other));
    await expect((data.train as EncodedSet).read(0)).rejects.toThrow(
      /train-000\.tar cannot be read: it has changed on the server since it was opened \((length|ETag) was .*--resume/,
    );
    const again = await openDataset(largeAddress(), options);
    expect((again.train as EncodedSet).nameOf(0)).toMatch(/train1-000\.jpg/);
  });

  it.each([
    [401, /401.*user:password@host/],
    [403, /403.*presigned addresses must be made again/],
    [404, /404.*Compare the address/],
    [416, /416/],
  ])('answers %s is not asked again, and the address is shown without secrets', async (status, message) => {
    server.fault = ({ url }) => (url.includes('train-002.tar') ? { status } : undefined);
    const source = smallAddress().replace('http://', 'http://me:pass@').replace('?', '?sig=hidden&');
    const { message: text } = await fails(source, message, { shardRetries: 3 });
    expect(text).toContain(`${server.url}/small/train-002.tar cannot be read`);
    expect(text).not.toMatch(/hidden|pass@|me:/);
    expect(server.count('train-002.tar')).toBe(1);
  });

  it('wants a password is told it, and no other host is', async () => {
    const other = await FileServer.over(root);
    const source = smallAddress().replace('http://', 'http://me:pass@').replace('?', '?sig=hidden&');
    server.fault = ({ url }) =>
      url.includes('val')
        ? { status: 302, headers: { location: `${other.url}/small/${url.split(/[/?]/).at(-2)}?elsewhere=1` } }
        : undefined;
    const data = await openDataset(source, fresh());
    await same(data, small);
    const basic = `Basic ${Buffer.from('me:pass').toString('base64')}`;
    expect(server.asked.every(({ authorization }) => authorization === basic)).toBe(true);
    expect(other.asked.length).toBeGreaterThan(0);
    expect(other.asked.every(({ authorization, url }) => authorization === undefined && !/hidden/.test(url))).toBe(
      true,
    );
    expect(data.source).toBe(smallAddress());
    await other.close();
  });

  it.each([
    ['file:///etc/passwd', /redirects to file:/],
    ['/small/train-000.tar', /redirects more than 5 times/],
    ['http://', /not valid/],
  ])('redirects to %s is not followed', async (location, message) => {
    server.fault = ({ url }) => (url.includes('train-000.tar') ? { status: 302, headers: { location } } : undefined);
    await fails(smallAddress(), message);
  });

  it('is not there is an error that says so', async () => {
    const gone = await FileServer.over(root);
    const source = smallAddress().replaceAll(server.url, gone.url);
    await gone.close();
    await fails(source, /cannot be read: .*ECONNREFUSED/, { shardRetries: 1 });
  });
});
