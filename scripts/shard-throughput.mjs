// Images a second of the loader over an epoch of tar shards: from a folder, over HTTP with an empty cache, and from a
// full one, in turns. The server is a process of its own on this machine and waits before each answer.
//   node scripts/shard-throughput.mjs FOLDER_OF_SHARDS [--rounds 5] [--latency 10] [--size 224] [--batch-size 32]
import { spawn } from 'node:child_process';
import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    latency: { type: 'string', default: '10' },
    size: { type: 'string', default: '224' },
    'batch-size': { type: 'string', default: '32' },
    serve: { type: 'boolean', default: false },
  },
});
const [folder = ''] = positionals;

function serve() {
  let bytes = 0;
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
    setTimeout(() => {
      if (request.url === '/bytes') return response.end(String(bytes));
      if (size === undefined) return response.writeHead(404).end();
      const [, begin = 0, last = size - 1] = request.headers.range?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
      const [start, end] = [Number(begin), Math.min(Number(last), size - 1)];
      bytes += end - start + 1;
      response.writeHead(206, {
        etag: `"${mtimeMs}"`,
        'content-length': end - start + 1,
        'content-range': `bytes ${start}-${end}/${size}`,
      });
      createReadStream(path, { start, end }).pipe(response);
    }, Number(values.latency));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

const seconds = async (body) => {
  const began = performance.now();
  const result = await body();
  return [(performance.now() - began) / 1000, result];
};
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const spread = (list, digits) =>
  `${median(list).toFixed(digits)} (${Math.min(...list).toFixed(digits)} to ${Math.max(...list).toFixed(digits)})`;

async function measure() {
  const { Loader, openDataset } = await import('../dist/index.js');
  const { default: torch } = await import('../dist/torch.js');
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), folder, ...process.argv.slice(3), '--serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  const url = `http://127.0.0.1:${port}`;
  const names = readdirSync(folder).filter((name) => name.endsWith('.tar'));
  const caches = mkdtempSync(join(tmpdir(), 'srrl-shards-'));
  const sent = async () => Number(await (await fetch(`${url}/bytes`)).text());
  const [size, batchSize] = [values.size, Number(values['batch-size'])];
  const cases = {
    'a folder': { source: `shards:${folder}?size=${size}` },
    'HTTP, empty cache': { source: `shards:${url}/{${names.join()}}?size=${size}` },
    'HTTP, full cache': { source: `shards:${url}/{${names.join()}}?size=${size}`, full: true },
  };
  const results = Object.fromEntries(Object.keys(cases).map((name) => [name, { open: [], speed: [], mib: [] }]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, { source, full }] of Object.entries(cases)) {
      // A full one is that of the round's run with an empty one.
      const shardCache = join(caches, String(round));
      const before = await sent();
      const [open, data] = await seconds(() => openDataset(source, { shardCache }));
      const loader = new Loader(data, 'train', { batchSize, shuffle: true, augment: true, seed: round });
      loader.begin(0);
      const [epoch] = await seconds(async () => {
        for (let step = 0; step < loader.steps; step++) {
          await loader.ready(step);
          torch.scope(() => void loader.batch(step));
        }
      });
      results[name].open.push(open);
      results[name].speed.push(loader.count / epoch);
      results[name].mib.push(((await sent()) - before) / 2 ** 20);
      loader.dispose();
      if (!full && name.startsWith('HTTP'))
        await filled(shardCache, names.filter((one) => one.startsWith('train')).length);
    }
  child.kill();
  rmSync(caches, { recursive: true });
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  console.log(
    `${names.length} shards, ${(bytes / 2 ** 20).toFixed(1)} MiB; latency ${values.latency} ms; median (range) of ${values.rounds} rounds`,
  );
  console.log('| shards from | opened in, s | images/s, first epoch | MiB from the server |\n| - | -: | -: | -: |');
  for (const [name, { open, speed, mib }] of Object.entries(results))
    console.log(`| ${name} | ${spread(open, 2)} | ${spread(speed, 0)} | ${spread(mib, 1)} |`);
}

/** Waits until the shards that were read have come into the cache. */
async function filled(cache, count) {
  while (readdirSync(cache).filter((name) => name.endsWith('.data')).length < count)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

if (values.serve) serve();
else await measure();
