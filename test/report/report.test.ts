import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { parse } from 'node-html-parser';
import { afterAll, describe, expect, it } from 'vitest';
import { FileError } from '../../src/index.js';
import { compareRuns, comparisonPage } from '../../src/report/compare.js';
import { reportPage } from '../../src/report/html.js';
import { serveLive } from '../../src/report/live.js';
import { readRun } from '../../src/report/run-records.js';
import { encodeEvent, eventSchema, frame, writeTensorBoard } from '../../src/report/tensorboard.js';
import { fixture } from '../helpers/inputs.js';
import { writeRun } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-report-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hostile = 'shapes"><script>alert(1)</script>';

describe('the records of a run', () => {
  it('are read as they were written, without a torn last line', () => {
    const path = writeRun(join(folder, 'plain'));
    appendFileSync(join(path, 'events.jsonl'), '{"time":"2026');
    const run = readRun(path);
    expect(run.epochs.map(({ epoch, test }) => [epoch, test.top1])).toEqual([
      [1, 10.5],
      [2, 31.25],
    ]);
    expect(run.start?.teacher?.top1).toBe(77.5);
    expect(run.end?.seconds).toBe(12);
    expect(run.config).toMatchObject({ student: 'resnet8', seed: 0 });
  });

  it('that are damaged are refused with file and line', () => {
    const path = writeRun(join(folder, 'damaged'));
    const lines = readFileSync(join(path, 'events.jsonl'), 'utf8').split('\n');
    writeFileSync(join(path, 'events.jsonl'), [lines[0], 'nonsense', ...lines.slice(1)].join('\n'));
    expect(() => readRun(path)).toThrow(FileError);
    expect(() => readRun(path)).toThrow(/events\.jsonl.*2/);
    writeFileSync(join(path, 'config.yaml'), '{{');
    expect(() => readRun(path)).toThrow(/config\.yaml/);
    expect(() => readRun(join(folder, 'nowhere'))).toThrow(FileError);
  });
});

describe('the page of a run', () => {
  const run = readRun(writeRun(join(folder, 'page'), { data: hostile }));
  const text = reportPage(run);
  const page = parse(text);

  it('shows the numbers of the records', () => {
    const rows = page
      .querySelectorAll('#epochs tr')
      .map((row) => row.querySelectorAll('th,td').map((cell) => cell.text));
    expect(rows[0]).toEqual(expect.arrayContaining(['epoch', 'lr', 'loss', 'ce', '<fm>']));
    expect(rows[2]).toEqual(expect.arrayContaining(['2', '0.025', '2.25', '1.125', '31.25 %', '51.25 %']));
    expect(page.text).toContain('77.50 %');
    expect(page.text).toContain('78,042');
  });

  it('runs nothing that comes from a name, and asks no other host', () => {
    expect(text).not.toContain('<script>alert(1)');
    expect(text).not.toMatch(/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i);
    expect(page.querySelectorAll('img,iframe')).toHaveLength(0);
    for (const link of page.querySelectorAll('link')) expect(link.getAttribute('href')).toMatch(/^data:/);
    for (const script of page.querySelectorAll('script')) expect(script.getAttribute('src')).toBeUndefined();
    expect(text).toContain('MIT');
  });
});

describe('comparison', () => {
  const runs = [
    writeRun(join(folder, 'a0'), { seed: 0, top1: [10, 40, 30] }),
    writeRun(join(folder, 'a1'), { seed: 1, top1: [12, 36, 34] }),
    writeRun(join(folder, 'a2'), { seed: 2, top1: [14, 35, 35] }),
    writeRun(join(folder, 'b0'), { method: 'kd', top1: [20, 25, 28] }),
  ].map(readRun);

  it('groups what differs in its seed alone, with mean and sample standard deviation', () => {
    const { groups } = compareRuns(runs);
    expect(groups.map(({ runs: members }) => (Array.isArray(members) ? members.length : members))).toEqual([3, 1]);
    const [first] = groups;
    // Last 30, 34, 35: mean 33, deviation sqrt((9 + 1 + 4) / 2). Best 40, 36, 35: mean 37, deviation sqrt((9 + 1 + 4) / 2).
    const text = JSON.stringify(first);
    for (const value of [33, Math.sqrt(7), 37]) expect(text).toContain(String(value).slice(0, 8));
  });

  it('has a page of its own with all curves, escaped', () => {
    const text = comparisonPage([readRun(writeRun(join(folder, 'c'), { data: hostile })), ...runs]);
    expect(text).not.toContain('<script>alert(1)');
    expect(parse(text).querySelectorAll('table').length).toBeGreaterThanOrEqual(2);
  });
});

describe('event files of TensorBoard', () => {
  const { records } = fixture<{
    records: { base64: string; tag?: string; value?: number; step?: number; wallTime: number }[];
  }>('event_files');

  it.each(records)('are written as its own writer does: $tag', ({ base64, tag, value, step, wallTime }) => {
    const theirs = Buffer.from(base64, 'base64');
    const bytes = theirs.subarray(12, theirs.length - 4);
    expect(frame(bytes).equals(theirs)).toBe(true);
    if (tag === undefined) return expect(fromBinary(eventSchema, bytes)).toMatchObject({ wallTime });
    const event = { wallTime, step: String(step), summary: { value: [{ tag, simpleValue: value as number }] } };
    expect(encodeEvent(event).equals(theirs)).toBe(true);
  });

  it('hold every epoch of a run', () => {
    const file = writeTensorBoard(readRun(join(folder, 'a0')), join(folder, 'tb'));
    const bytes = readFileSync(file);
    const events: unknown[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at));
      events.push(fromBinary(eventSchema, bytes.subarray(at + 12, at + 12 + length)));
      at += 16 + length;
    }
    // One that names the version, and eight scalars an epoch: loss, two terms, three of the test, rate, throughput.
    expect(events).toHaveLength(1 + 3 * 8);
  });
});

/** A request whose Host header can be chosen. */
const status = (url: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.destroy();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });

describe('the live page', () => {
  it('is served on this machine only, and follows the run', async () => {
    const path = writeRun(join(folder, 'live'));
    const server = await serveLive({ source: path });
    try {
      const url = new URL(server.url);
      expect(url.hostname).toMatch(/^(127\.0\.0\.1|localhost)$/);
      expect(await (await fetch(server.url)).text()).toContain('<html');
      expect(await status(server.url, `127.0.0.1:${url.port}`)).toBe(200);
      expect(await status(server.url, 'evil.example')).toBeGreaterThanOrEqual(400);
    } finally {
      await server.close();
    }
    await expect(fetch(server.url)).rejects.toThrow();
  });
});
