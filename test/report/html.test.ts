import { type HTMLElement, parse } from 'node-html-parser';
import { describe, expect, it } from 'vitest';
import type { Chart } from '../../src/report/charts.js';
import { comparisonPage } from '../../src/report/compare-page.js';
import { reportPage } from '../../src/report/html.js';
import { livePage } from '../../src/report/live-page.js';
import { escapeText } from '../../src/report/markup.js';
import { readRun } from '../../src/report/run-records.js';
import { configOf, endOf, epochOf, hostile, linesOf, makeRun, startOf } from './runs.js';

const parsed = (text: string) => parse(text, { blockTextElements: { script: true, style: true } });
const cells = (root: HTMLElement, id: string) =>
  root.querySelectorAll(`#${id} tbody tr`).map((row) => row.querySelectorAll('td').map(({ text }) => text));
const chartsOf = (root: HTMLElement) => JSON.parse(root.querySelector('#data')?.rawText ?? '') as Chart[];

const run = readRun(makeRun({ analyzed: true, config: configOf({ note: hostile }) }));
const text = reportPage(run);
const root = parsed(text);

describe('the report', () => {
  it('has the curves of the records', () => {
    const charts = Object.fromEntries(
      chartsOf(root).map(({ title, x, series }) => {
        expect(x).toEqual([1, 2, 3]);
        return [title, Object.fromEntries(series.map(({ label, values }) => [label, values]))];
      }),
    );
    expect(charts).toEqual({
      Loss: {
        'weighted sum, train': run.epochs.map(({ loss }) => loss),
        'cross-entropy, test': run.epochs.map(({ test }) => test?.loss),
      },
      'Loss terms, unweighted': {
        ce: run.epochs.map(({ terms }) => terms.ce),
        [hostile]: run.epochs.map(({ terms }) => terms[hostile]),
      },
      'Accuracy, %': {
        'training top-1': [45, 65, 60],
        'test top-1': [40, 60, 55],
        'validation top-1': [39, 59, 54],
        teacher: [69, 69, 69],
      },
      'Learning rate': { 'learning rate': [0.1, 0.05, 0.1 / 3] },
      'Throughput, images/s': { 'images/s': [101, 102, 103] },
    });
  });

  it('has the results, configuration and epochs of the records', () => {
    const results = Object.fromEntries(cells(root, 'results'));
    expect(results).toMatchObject({
      'student kept, top-1': '55.00 %',
      'best on test (epoch 2), top-1': '60.00 %',
      'teacher, top-1': '69.00 %',
      'training time': '1 min 15 s',
    });
    expect(Object.fromEntries(cells(root, 'config'))).toMatchObject({ seed: '0', student: 'resnet8' });
    expect(cells(root, 'epochs')[1]).toEqual([
      '2',
      '0.05',
      '2.625',
      '1.0625',
      '0.25',
      '65.00 %',
      '59.00 %',
      '60.00 %',
      '1.8',
      '102',
      '2.0 s',
    ]);
  });

  it('has the mistakes of the analysis', () => {
    expect(cells(root, 'confusion')).toEqual([
      ['4', ''],
      ['2', '2'],
    ]);
    expect(cells(root, 'worst').map(([name, , share]) => [name, share])).toEqual([
      ['disc', '50.00 %'],
      [hostile, '100.00 %'],
    ]);
    expect(cells(root, 'mistakes')).toEqual([['disc', hostile, '2']]);
    expect(cells(root, 'agreement')[0]).toEqual(['same prediction', '62.50 %']);
  });

  it('has the examples of the analysis, with what both networks take them for', () => {
    const [row, ...others] = root.querySelectorAll('#worst-examples tbody tr');
    expect(row?.querySelector('th')?.text).toContain('disc');
    const pictures = row?.querySelectorAll('td').map((cell) =>
      cell.querySelectorAll('figure').map((figure) => ({
        image: figure.querySelector('img')?.getAttribute('src'),
        text: figure
          .querySelector('figcaption')
          ?.innerHTML.split('<br>')
          .map((line) => parse(line).text),
      })),
    );
    const escaped = parse(escapeText(hostile)).text;
    expect(pictures).toEqual([
      [
        {
          image: 'data:image/webp;base64,bWlzdGFrZQ==',
          text: ['is disc', `student ${escaped} 88 %`, 'teacher disc 50 %'],
        },
      ],
      [
        {
          image: 'data:image/webp;base64,aGl0',
          text: ['is disc', 'student disc 88 %', `teacher ${escaped} 50 %`],
        },
      ],
    ]);
    const wrong = row?.querySelectorAll('.wrong').map(({ innerHTML }) => parse(innerHTML).text);
    expect(wrong).toEqual([escaped, escaped]);
    // The other class has no example, and there are too few classes for a table of the best.
    expect(others.flatMap((other) => other.querySelectorAll('img'))).toEqual([]);
    expect(root.querySelector('#best-examples')).toBeNull();
  });

  it('has gaps where an epoch was not evaluated', () => {
    const unseen = (epoch: number) => ({ ...epochOf(epoch, 0), test: undefined, validation: undefined });
    const unknown = { top1: null, top5: null, loss: null, count: 0 };
    const events = [startOf({}), unseen(1), epochOf(2, 60), unseen(3), { ...endOf(0), test: unknown }];
    const page = parsed(reportPage(readRun(makeRun({ events: linesOf(events) }))));
    const accuracy = chartsOf(page).find(({ title }) => title === 'Accuracy, %');
    expect(accuracy?.series.map(({ values }) => values)).toContainEqual([null, 60, null]);
    expect(cells(page, 'epochs')[2]?.slice(6, 10)).toEqual(['-', '-', '-', '-']);
    const results = Object.fromEntries(cells(page, 'results'));
    expect(results).toMatchObject({
      'last evaluated epoch (2), top-1': '60.00 %',
      'best on test (epoch 2), top-1': '60.00 %',
    });
    expect(Object.keys(results).filter((name) => name.startsWith('student kept'))).toEqual([]);
  });

  it('does without an analysis, and without epochs', () => {
    const early = parsed(reportPage(readRun(makeRun({ events: '' }))));
    expect(early.querySelector('#confusion')).toBeNull();
    expect(chartsOf(early)).toEqual([]);
  });
});

describe.each([
  ['the report', text],
  ['the comparison', comparisonPage([run, readRun(makeRun({ config: configOf({ note: hostile }) }))])],
  ['the live page', livePage()],
])('%s', (_, page) => {
  it('runs its own scripts only', () => {
    expect(parsed(page).querySelectorAll('script')).toHaveLength(3);
    expect(page).not.toContain('<script>alert');
    const policy = parsed(page).querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute('content');
    expect(policy).toContain("default-src 'none'");
  });

  it('refers to no other place', () => {
    const found = parsed(page).querySelectorAll('[src], [href], [action], [data], [srcset], base, iframe, object');
    const places = found.map(({ attributes }) => attributes.href ?? attributes.src);
    expect(places.filter((place) => !place?.startsWith('data:image/webp;base64,'))).toEqual(['data:,']);
    expect(page.match(/(?:https?:)?\/\/[a-z0-9-]+\.[a-z]+|@import|\burl\(/gi) ?? []).toEqual([]);
  });

  it("carries uPlot's license, and styles for dark screens and paper", () => {
    for (const part of ['Permission is hereby granted, free of charge', 'prefers-color-scheme: dark', '@media print'])
      expect(page).toContain(part);
  });
});
