// Lighthouse scores of report, comparison, live page and site; fails where accessibility is below 95.
//   npm run docs:site && node scripts/lighthouse.mjs RUN...
// RUN are run folders. Lighthouse is fetched by npx and is not a dependency; CHROME_PATH names the browser.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { compareFolders, serveLive, writeReport } from '../dist/report/index.js';

const lighthouse = 'lighthouse@12.8.2';
const least = 95;
const root = fileURLToPath(new URL('..', import.meta.url));
const site = join(root, 'build/site');
const runs = process.argv.slice(2);
if (runs.length === 0) throw new Error('node scripts/lighthouse.mjs RUN...: folders of runs, of which pages are made.');
process.env.CHROME_PATH ??= '/usr/bin/chromium';

const folder = mkdtempSync(join(tmpdir(), 'srrl-lighthouse-'));
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** Files of a folder over HTTP, with the addresses of the site, which have no extension. */
async function serve(folder) {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url, 'http://x').pathname));
    const file = [path, `${path}.html`, join(path, 'index.html')].find((name) => extname(name) && existsSync(name));
    response.writeHead(file ? 200 : 404, { 'content-type': types[extname(file ?? '')] ?? 'application/octet-stream' });
    response.end(file && readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

async function scoresOf(url) {
  const out = join(folder, 'result.json');
  const flags = ['--quiet', '--output=json', `--output-path=${out}`, '--chrome-flags=--headless=new --no-sandbox'];
  const only = '--only-categories=accessibility,best-practices,performance';
  const child = spawn('npx', ['--yes', lighthouse, url, only, ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`Lighthouse failed on ${url} with exit status ${code}.`);
  const { categories, audits } = JSON.parse(readFileSync(out, 'utf8'));
  const scores = Object.entries(categories).map(([name, { score }]) => [name, Math.round(100 * score)]);
  const failed = categories.accessibility.auditRefs.map(({ id }) => audits[id]).filter(({ score }) => score === 0);
  return { scores: Object.fromEntries(scores), failed: failed.map(({ title }) => title) };
}

const files = await serve(folder);
const source = new PassThrough({ objectMode: true });
const live = await serveLive({ source, name: 'a run' });
for (const line of readFileSync(join(runs[0], 'events.jsonl'), 'utf8').trim().split('\n').slice(0, -1))
  source.write(JSON.parse(line));
writeReport(runs[0], { out: join(folder, 'report.html') });
compareFolders(runs, { html: join(folder, 'comparison.html') });
const pages = [
  ['report', `${files.url}report.html`],
  ['comparison', `${files.url}comparison.html`],
  ['live page', live.url],
];
const siteServer = existsSync(site) ? await serve(site) : undefined;
if (siteServer)
  for (const page of ['', 'guide-cli', 'performance']) pages.push([`site/${page}`, siteServer.url + page]);

for (const [name, url] of pages) {
  const { scores, failed } = await scoresOf(url);
  console.log(name.padEnd(18), JSON.stringify(scores), failed.join('; '));
  if (scores.accessibility < least) process.exitCode = 1;
}
for (const server of [files, live, siteServer]) await server?.close();
source.end();
rmSync(folder, { recursive: true });
