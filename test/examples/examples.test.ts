/** The examples in a real browser, which is Chromium: SRRL_CHROMIUM, or where Debian and macOS install it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportStudent, type ImageClassifier, loadClassifier, models, saveStudent } from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';

const executable = [
  process.env.SRRL_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

const folder = mkdtempSync(join(tmpdir(), 'srrl-examples-'));
const hub = join(folder, 'site', 'student');
const images = ['photo.jpg', 'tall.png', 'exact.png'];
const file = (name: string) => join(folder, name);
let classify: ImageClassifier;

beforeAll(async () => {
  torch.manualSeed(5);
  const student = models.create('resnet8', { numClasses: 4 });
  saveStudent(file('student.safetensors'), student, {
    model: 'resnet8',
    numClasses: 4,
    inChannels: 3,
    data: '',
    input: [3, 32, 32],
    classes: ['ant', 'bee', 'cat', '<dog>'],
    preprocessing: { resize: [36, 36], crop: [32, 32], mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3] },
  });
  cpSync(join(packageRoot, 'examples/browser'), join(folder, 'site'), { recursive: true });
  await exportStudent(file('student.safetensors'), `${hub}/`, { overwrite: true });
  const noise = Uint8Array.from({ length: 90 * 70 * 3 }, (_, i) => ((i * 7919) % 97) + ((i / 210) % 100));
  const raw = { width: 90, height: 70, channels: 3 } as const;
  await sharp(noise, { raw }).blur(2).jpeg().toFile(file('photo.jpg'));
  await sharp(noise, { raw }).blur(1).resize(40, 66).png().toFile(file('tall.png'));
  await sharp(noise, { raw }).resize(36, 36).png().toFile(file('exact.png'));
  writeFileSync(file('broken.jpg'), 'this is not an image');
  classify = await loadClassifier(hub, { topK: 4 });
});

afterAll(async () => {
  await classify?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The server as a process of its own, with its address. */
async function served(student: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [join(packageRoot, 'examples/serve/server.mjs'), student, '--port', '0'], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  return { child, url: line.toString().trim() };
}

describe('examples/serve', () => {
  let child: ChildProcess;
  let url: string;
  beforeAll(async () => {
    ({ child, url } = await served(hub));
  });
  afterAll(() => child?.kill('SIGKILL'));

  const post = (body: Buffer | string) => fetch(`${url}/classify`, { method: 'POST', body });

  it('answers as the package does', async () => {
    const answers = await Promise.all(images.map((name) => post(readFileSync(file(name)))));
    for (const [i, answer] of answers.entries()) {
      expect(answer.status).toBe(200);
      const { predictions } = (await answer.json()) as { predictions: unknown };
      const wanted = (await classify(file(images[i] as string))).map((prediction) => ({
        ...prediction,
        probability: expect.closeTo(prediction.probability, 5),
      }));
      expect(predictions).toEqual(wanted);
    }
  });

  it('says what was wrong with a request', async () => {
    const broken = await post('this is not an image');
    expect(broken.status).toBe(415);
    expect(((await broken.json()) as { error: string }).error).toMatch(/^the upload cannot be decoded/);
    expect((await post(Buffer.alloc(20_000_001))).status).toBe(413);
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });

  it('ends when it is asked to', async () => {
    const other = await served(hub);
    const answer = fetch(`${other.url}/classify`, { method: 'POST', body: readFileSync(file('photo.jpg')) });
    await answer;
    other.child.kill('SIGTERM');
    const [code] = await once(other.child, 'exit');
    expect(code).toBe(0);
  });

  it.skipIf(!executable)('has a page for uploads, in Chromium', async () => {
    await inBrowser(url, async (page) => {
      await expect.poll(() => page.textContent('#student')).toBe('resnet8, 4 classes');
      const [best] = await classify(file('photo.jpg'));
      expect(await shown(page, 'photo.jpg')).toEqual([best?.label, `${(100 * (best?.probability ?? 0)).toFixed(1)} %`]);
      await page.setInputFiles('#file', file('broken.jpg'));
      await expect.poll(() => page.textContent('#message')).toMatch(/cannot be decoded/);
      expect(await page.locator('#predictions tr').count()).toBe(0);
    });
  });
});

describe.skipIf(!executable)('examples/browser, in Chromium (set SRRL_CHROMIUM where it is not found)', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    const runtime = join(packageRoot, 'node_modules/onnxruntime-web/dist');
    mkdirSync(join(folder, 'site/ort'), { recursive: true });
    for (const name of ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'])
      copyFileSync(join(runtime, name), join(folder, 'site/ort', name));
    server = fileServer(join(folder, 'site'));
    await once(server.listen(0), 'listening');
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server?.close());

  it('predicts what the package predicts', async () => {
    await inBrowser(url, async (page) => {
      await expect
        .poll(async () => (await page.isEnabled('#file')) || (await page.textContent('#message')), { timeout: 30_000 })
        .toBe(true);
      expect(await page.textContent('#student')).toBe('resnet8, 4 classes; images stay on this device');
      for (const name of images) {
        const [label, probability] = await shown(page, name);
        const [best] = await classify(file(name));
        expect(label).toBe(best?.label);
        // Decoders of JPEG round in different ways.
        expect(Math.abs(Number.parseFloat(probability) - 100 * (best?.probability ?? 0))).toBeLessThan(0.3);
      }
      await page.setInputFiles('#file', file('broken.jpg'));
      await expect.poll(() => page.textContent('#message')).toMatch(/^broken\.jpg cannot be classified/);
    });
  });

  it('says when the student is not there', async () => {
    const empty = join(folder, 'empty');
    cpSync(join(folder, 'site'), empty, { recursive: true });
    rmSync(join(empty, 'student'), { recursive: true });
    const without = fileServer(empty);
    await once(without.listen(0), 'listening');
    await inBrowser(`http://localhost:${(without.address() as AddressInfo).port}`, async (page) => {
      await expect.poll(() => page.textContent('#message'), { timeout: 30_000 }).toMatch(/cannot be loaded.*404/);
    });
    without.close();
  });
});

/** Label and probability of the likeliest class on the page. */
async function shown(page: Page, name: string): Promise<[string, string]> {
  await page.evaluate("document.getElementById('predictions').replaceChildren()");
  await page.setInputFiles('#file', file(name));
  const row = page.locator('#predictions tr').first();
  await row.waitFor();
  return (await row.locator('td').allTextContents()) as [string, string];
}

async function inBrowser(url: string, use: (page: Page) => Promise<void>): Promise<void> {
  const browser: Browser = await chromium.launch({ executablePath: executable as string, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(String(error)));
    await page.goto(url);
    await use(page);
    expect(failures).toEqual([]);
  } finally {
    await browser.close();
  }
}

const types: Record<string, string> = {
  '.html': 'text/html',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Serves files, as any web server does. */
function fileServer(root: string): Server {
  return createServer((request, response) => {
    const path = join(root, new URL(request.url ?? '/', 'http://server').pathname.replace(/\/$/, '/index.html'));
    if (!existsSync(path)) response.writeHead(404).end();
    else
      response
        .writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' })
        .end(readFileSync(path));
  });
}
