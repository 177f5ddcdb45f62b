import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'node-html-parser';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { trainCommand } from '../../src/cli/commands/train.js';
import { valuesFromFile } from '../../src/cli/config-file.js';
import { resumeCommand } from '../../src/cli/run.js';
import { reportPage } from '../../src/report/html.js';
import { readRun } from '../../src/report/run-records.js';
import { srrlCommand } from '../../src/shell.js';
import { commandLine } from '../../src/train/provenance.js';
import { configOf, linesOf, makeRun, newFolder, startOf } from '../report/runs.js';

/** The words that a shell makes of a command line, with `srrl` as a function that prints its arguments. */
function wordsOf(command: string, shell = 'sh'): string[] {
  const script = `srrl() { printf '%s\\0' "$@"; }\n${command}\n`;
  const { status, stdout, stderr } = spawnSync(shell, ['-c', script], { encoding: 'utf8', cwd: '/' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\0').slice(0, -1);
}

/** Everything that a file name can hold, and what shells interpret more often than chance would have it. */
const character = fc.oneof(
  fc.constantFrom(...' \'"`$&|;<>()[]{}*?!#~=%\\^:,@+-./aZ0é'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => text !== '\0'),
);
const words = fc.array(fc.string({ unit: character, maxLength: 12 }), { minLength: 1, maxLength: 20 });

afterEach(() => void vi.unstubAllEnvs());

describe('a command that is printed', () => {
  it('has in a shell the words that were meant', () => {
    fc.assert(
      fc.property(words, (given) => {
        expect(wordsOf(srrlCommand(...given))).toEqual(given);
      }),
      { numRuns: 60 },
    );
  });

  it('has no word that zsh would expand and sh would not', () => {
    for (const word of ['=ls', '~', '*.jpg', 'a?b', '{a,b}', '^a', 'a#b', '!!'])
      expect(srrlCommand(word)).toBe(`srrl '${word}'`);
  });

  it.each([
    ['npx', 'npx srrl'],
    ['start', 'npx srrl'],
    ['', 'srrl'],
  ])('begins as the program was called: npm_lifecycle_event=%s', (event, program) => {
    vi.stubEnv('npm_lifecycle_event', event);
    expect(srrlCommand('doctor')).toBe(`${program} doctor`);
  });

  it('resumes a run in any folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: character, minLength: 1, maxLength: 12 }), (out) => {
        expect(wordsOf(resumeCommand('distill', out) as string)).toEqual(['distill', '--resume', '--out', out]);
      }),
      { numRuns: 30 },
    );
  });

  it('is in the report the command line of the run', () => {
    const text = fc.string({ unit: fc.constantFrom(...' \'"&<>$`;aé*'), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 8 }), (args) => {
        const command = commandLine(['node', '/somewhere/srrl.js', ...args]);
        const start = { ...startOf(configOf()), provenance: { version: '1.0.0', command, dataSha256: '' } };
        const page = parse(reportPage(readRun(makeRun({ events: linesOf([start]) }))));
        const rows = page.querySelectorAll('#provenance tbody tr').map((row) => row.querySelectorAll('td'));
        const shown = rows.find(([name]) => name?.text === 'command')?.[1]?.text;
        expect(wordsOf(shown as string)).toEqual(args);
      }),
      { numRuns: 20 },
    );
  });

  it('is quoted in an error', () => {
    const file = join(newFolder(), "it's of kd.yaml");
    writeFileSync(file, 'method: kd\nkd: {}\n');
    let message = '';
    try {
      valuesFromFile(trainCommand.options, file, {});
    } catch (error) {
      message = (error as Error).message;
    }
    const [, command = ''] = /: use (?:npx )?(srrl .*)$/.exec(message) ?? [];
    expect(wordsOf(command)).toEqual(['distill', '--config', file]);
  });
});
