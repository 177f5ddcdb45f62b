import { PassThrough } from 'node:stream';
import stringWidth from 'string-width';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compareRuns } from '../../src/report/compare.js';
import { groupTable, runTable } from '../../src/report/compare-tables.js';
import { pairs, table, widthOf, wrap } from '../../src/report/layout.js';
import { readRun } from '../../src/report/run-records.js';
import { epochText, Progress, progressLine } from '../../src/report/terminal.js';
import { configOf, epochOf, makeRun } from './runs.js';

const widths = Array.from({ length: 161 }, (_, i) => i + 40);
const words = (text: string) => text.split(/[\s│┌┐└┘├┤┬┴┼─]+/).filter((word) => word !== '');

/** Every line fits, or is one word that is longer than a line. */
function expectFit(text: string, width: number): void {
  const wide = text.split('\n').filter((line) => stringWidth(line) > width && words(line).length > 1);
  expect(wide, `at ${width} columns`).toEqual([]);
}

/** A terminal; `lines` is what is on it, as far as carriage returns and erasing tell. */
function terminal(columns: number) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns }) as unknown as NodeJS.WriteStream;
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  return { stream, lines: () => text.split('\n').map((line) => line.split('\r\u001b[K').at(-1) ?? '') };
}

const epoch = epochText({ ...epochOf(2, 31.67), terms: { ce: 1.234, fm: 0.567, sr: 8.9 }, imagesPerSecond: 1466 });

describe.each([40, 80, 100, 200])('on a terminal of %i columns', (width) => {
  it('lines above the bar are whole', async () => {
    const { stream, lines } = terminal(width);
    const progress = new Progress(300, 'steps', { stream });
    await new Promise((resolve) => setTimeout(resolve, 150));
    progress.update(10, 'epoch 2/3');
    progress.say(epoch);
    expect(words(lines().slice(0, -1).join('\n'))).toEqual(words(epoch));
    for (const line of lines()) expectFit(line, width);
    expect(lines().at(-1)).toMatch(/3 % {2}left .* {2}epoch 2\/3/);
    progress.stop();
    expect(lines().at(-1)).toBe('');
  });
});

describe('text', () => {
  it.each([
    ['an epoch', epoch],
    ['a sentence', `note: ${'a word of some length '.repeat(12).trim()}`],
    ['a path', `student: 31.67 % top-1, in /${'folder/'.repeat(20)}runs`],
    ['wide letters', 'waiting for 画像/'.repeat(9).replaceAll('/', ' ')],
  ])('is wrapped at every width: %s', (_, text) => {
    for (const width of widths) {
      const wrapped = wrap(text, width);
      expectFit(wrapped, width);
      expect(words(wrapped)).toEqual(words(text));
    }
  });

  it('is broken between its parts, and not within them', () => {
    expect(wrap('epoch 1/2  loss 2.5 (ce 2.1)  train 9.0 %  test 31.67 %  1466 images/s', 40)).toBe(
      'epoch 1/2  loss 2.5 (ce 2.1)\n  train 9.0 %  test 31.67 %\n  1466 images/s',
    );
  });

  it('of progress leaves out what has no room', () => {
    for (const width of widths) {
      const line = progressLine(0.5, ['50 %', 'left 2 min 3 s', 'SRRL, seed 1, epoch 2/10', '140 steps/s'], width);
      expect(stringWidth(line)).toBeLessThanOrEqual(width);
      expect(line).toContain('50 %  left 2 min 3 s');
    }
    expect(progressLine(0.5, ['50 %'], 80)).toBe(`${'█'.repeat(12)}${'░'.repeat(12)} 50 %`);
  });
});

describe('a table', () => {
  const runs = ['srrl', 'kd'].flatMap((method) =>
    [0, 1].map((seed) => readRun(makeRun({ config: configOf({ method, seed, lr: method === 'kd' ? 0.1 : 0.05 }) }))),
  );
  const comparison = compareRuns(runs);
  const other = { head: ['', 'a column', 'a longer one'], rows: [['first', 'x', 'y'.repeat(90)]] };

  it.each([
    ['runs', runTable(comparison)],
    ['groups', groupTable(comparison)],
    ['a long cell', other],
  ])('has every cell at every width: %s', (_, { head, rows }) => {
    for (const width of widths) {
      const text = table(head, rows, width);
      expectFit(text, width);
      const found = words(text).join(' ');
      for (const cell of rows.flat()) expect(found).toContain(words(cell).join(' '));
    }
  });

  it('is a block a row where it does not fit', () => {
    const [head, rows] = [
      ['model', 'input', 'parameters'],
      [
        ['resnet8', '3x32x32', '83,892'],
        ['a model with a longer name', '3x224x224', '1'],
      ],
    ];
    expect(table(head, rows, 100)).toContain('│ model ');
    expect(table(head, rows, 40)).toBe(
      'model:\nresnet8\n  input       3x32x32\n  parameters  83,892\na model with a longer name\n  input       3x224x224\n  parameters  1',
    );
  });

  it('of names and values puts long values below their names', () => {
    expect(pairs([['name', 'a value of words']], 40)).toBe('name  a value of words');
    expect(pairs([['name', 'x'.repeat(40)]], 40)).toBe(`name\n  ${'x'.repeat(40)}`);
  });
});

describe('the width', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('is the terminal, or COLUMNS, or without limit', () => {
    vi.stubEnv('COLUMNS', '');
    expect([widthOf({ isTTY: true, columns: 70 }), widthOf({})]).toEqual([70, Number.POSITIVE_INFINITY]);
    vi.stubEnv('COLUMNS', '50');
    expect([widthOf({ isTTY: true, columns: 70 }), widthOf({})]).toEqual([70, 50]);
  });
});
