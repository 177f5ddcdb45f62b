/**
 * The pages in a real browser, narrow and wide, light and dark: nothing overflows, axe finds no fault, and pictures of
 * them are left in build/pages. The browser is Chromium: SRRL_CHROMIUM, or where Debian and macOS install it.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareFolders, serveLive, writeReport } from '../../src/report/index.js';
import { packageRoot } from '../helpers/cli.js';
import { configOf, makeRun, newFolder, startOf, terms } from './runs.js';

const executable = [
  process.env.SRRL_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

const pictures = join(packageRoot, 'build', 'pages');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe.skipIf(!executable)('in Chromium (set SRRL_CHROMIUM where it is not found)', () => {
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    browser = await chromium.launch({ executablePath: executable as string, args: ['--no-sandbox'] });
  });
  afterAll(() => browser?.close());

  /** Opens a page and hands it to `use`; an error in a script fails the test. */
  async function opened(url: string, width: number, use: (page: Page) => Promise<void>): Promise<void> {
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') failures.push(message.text());
    });
    try {
      await page.goto(url);
      await use(page);
      expect(failures).toEqual([]);
    } finally {
      await page.close();
    }
  }

  /** Takes pictures of a page at all sizes and in both colors, and lets axe judge each. */
  async function examine(name: string, url: string, ready: (page: Page) => Promise<void> = async () => {}) {
    for (const width of [360, 1440]) {
      await opened(url, width, async (page) => {
        await ready(page);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
          expect(wide, `${name} is wider than ${width} pixels by`).toBeLessThanOrEqual(0);
          await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          expect(await faults(page), `${name} at ${width}, ${colorScheme}`).toEqual([]);
        }
      });
    }
  }

  const records = ['srrl', 'kd', 'ce'].flatMap((method, m) =>
    [0, 1, 2].map((seed) => {
      const student = m === 2 ? 'resnet14' : 'resnet8';
      const config = configOf({ method, seed, student, lr: m === 1 ? 0.1 : 0.05, weightDecay: 0.0005 });
      return makeRun({ config, terms, parameters: 78042 * (m + 1), top1: [40, 60 + 5 * m + seed / 3] });
    }),
  );

  it('the report shows what it has', async () => {
    const file = writeReport(makeRun({ analyzed: true, terms, stepped: true }));
    await examine('report', `file://${file}`);
    await opened(`file://${file}`, 1440, async (page) => {
      expect(await page.locator('#figures dt').allTextContents()).toEqual(['Student', 'Teacher', 'Gap']);
      const legend = page.locator('#charts figure').first().locator('.u-legend .u-label');
      expect((await legend.allTextContents()).at(-1)).toBe('teacher');
      expect(await page.locator('#charts canvas').count()).toBe(7);
    });
  });

  it('the comparison can be sorted and saved, and breaks no word', async () => {
    const html = join(newFolder(), 'comparison.html');
    compareFolders(records, { html });
    await examine('comparison', `file://${html}`);
    await opened(`file://${html}`, 360, async (page) => {
      expect(await page.evaluate(brokenWords)).toEqual([]);
    });
    await opened(`file://${html}`, 1440, async (page) => {
      expect(await page.evaluate(brokenWords)).toEqual([]);
      const methods = () => page.locator('#groups tbody tr td:first-child').allTextContents();
      expect(await methods()).toEqual(['srrl', 'kd', 'ce']);
      await page.getByRole('button', { name: 'method' }).first().click();
      expect(await methods()).toEqual(['ce', 'kd', 'srrl']);
      await page.locator('#groups').getByRole('button', { name: 'last top-1' }).click();
      await page.locator('#groups').getByRole('button', { name: 'last top-1' }).click();
      expect(await methods()).toEqual(['ce', 'kd', 'srrl']);
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'LaTeX' }).click(),
      ]);
      expect(download.suggestedFilename()).toBe('comparison.tex');
      expect(readFileSync(await download.path(), 'utf8')).toContain('\\toprule');
      expect(await page.locator('.pareto svg').count()).toBe(1);
    });
  });

  it('the comparison of many runs shows the curves of the best, and finds rows', async () => {
    const many = Array.from({ length: 24 }, (_, i) =>
      makeRun({
        config: configOf({ method: `method-${i >> 1}`, seed: i & 1 }),
        terms,
        parameters: 1000 * (1 + (i >> 1)),
        top1: [40, 50 + i],
      }),
    );
    const html = join(newFolder(), 'many.html');
    compareFolders(many, { html });
    await opened(`file://${html}`, 360, async (page) => {
      const labels = await page.locator('#charts figure').first().locator('.u-legend .u-label').allTextContents();
      expect(labels).toEqual(['epoch', ...Array.from({ length: 12 }, (_, i) => `method-${11 - i}`)]);
      await page.getByRole('searchbox', { name: 'Show rows with' }).fill('method-1 72');
      expect(await page.locator('#runs tbody tr:visible td:nth-child(2)').allTextContents()).toEqual(['method-11']);
      expect(await page.textContent('.filter output')).toBe('1 of 24 rows');
      expect(await faults(page)).toEqual([]);
    });
  });

  it('the live page shows loss, speed and what it waits for from the first step on', async () => {
    const source = new PassThrough({ objectMode: true });
    const server = await serveLive({ source, name: 'first-run' });
    try {
      await opened(server.url, 1440, async (page) => {
        await expect.poll(() => page.textContent('#name')).toBe('first-run');
        expect(await page.textContent('#headline')).toContain('preparing');
        source.write(startOf(configOf()));
        for (let step = 1; step <= 60; step++) {
          const event = { type: 'step', step, steps: 600, epoch: 1, epochs: 10, imagesPerSecond: 900, lr: 0.1 };
          source.write({ ...event, loss: 5 / step, terms: { ce: 2 / step, fm: 3 / step } });
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await expect
          .poll(() => page.textContent('#step'))
          .toMatch(/step \d+ of 600.*loss .*900 images\/s, about .* left/);
        await expect.poll(() => page.locator('#charts .u-title').allTextContents()).toContain('Loss by step');
        source.write({ type: 'stall', split: 'train', waited: 61, file: 'a.jpg', image: 7, missing: 3 });
        await expect.poll(() => page.textContent('#stall')).toContain('waiting for 1 min 1 s for a.jpg');
      });
      await examine('live', server.url, async (page) => {
        await expect.poll(() => page.locator('#charts .u-title').count()).toBe(2);
      });
    } finally {
      await server.close();
    }
  });

  /** What axe finds against WCAG 2 A and AA, and its best practices. */
  async function faults(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
  }
});

/** Words of table cells that take more than one line, as a script for the browser. */
const brokenWords = `[...document.querySelectorAll('th, td')].flatMap((cell) => {
  const broken = [];
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const { 0: word, index } of node.textContent.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (range.getClientRects().length > 1) broken.push(word);
    }
  return broken;
})`;
