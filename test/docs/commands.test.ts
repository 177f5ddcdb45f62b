/** Commands that no test runs, as they need data or hours: their names and flags exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.js';
import { propertiesOf } from '../../src/cli/help.js';
import { kebabCase } from '../../src/options.js';
import { packageRoot } from '../helpers/cli.js';

const flagsOf = new Map(
  commands.map(({ name, options, configFile }) => {
    const flags = Object.entries(propertiesOf(options)).flatMap(([key, { type, default: initial, short }]) => [
      `--${type === 'boolean' && initial === true ? 'no-' : ''}${kebabCase(key)}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]);
    return [name, new Set([...flags, ...(configFile ? ['--config'] : []), '--help', '--'])];
  }),
);
/** Of the program itself. */
flagsOf.set('completion', new Set());

/** What is wrong with a command line of `srrl`, `...` standing for more of it; undefined where nothing is. */
function problemIn(line: string): string | undefined {
  const [name = '', ...words] = line.split(/\s+/);
  const flags = flagsOf.get(name);
  if (flags === undefined) return `no command ${name}`;
  const end = words.indexOf('--');
  const own = end < 0 ? words : words.slice(0, end);
  const unknown = own.filter((word) => /^--?[a-z]/.test(word)).find((word) => !flags.has(word.split('=')[0] as string));
  if (unknown !== undefined) return `srrl ${name} has no ${unknown}`;
  // srrl launch runs another command; what follows in verify-resume and sweep are flags of distill.
  if (end < 0) return undefined;
  const rest = words.slice(end + 1);
  return problemIn((name === 'launch' ? rest : ['distill', ...rest]).join(' '));
}

/** The command lines in code of a document: blocks, indented lines, and `code` in sentences. */
function commandLines(text: string): string[] {
  const inline = [...text.matchAll(/`((?:npx )?srrl [^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' '));
  const fenced = [...text.matchAll(/```(?:sh|sh-session|text|dockerfile)?\n([\s\S]*?)```/g)].map(
    ([, code = '']) => code,
  );
  const indented = text.split('\n').filter((line) => line.startsWith('    '));
  return [...inline, ...fenced, ...indented]
    .flatMap((code) => code.replaceAll('\\\n', ' ').split('\n'))
    .flatMap((line) => [...line.matchAll(/(?:^|[\s;&|])srrl ([a-z][\w-]* ?[^#|;&]*)/g)])
    .map(([, command = '']) => command.trim());
}

const folders = ['docs', 'recipes', 'examples/serve', 'examples/browser', '.'];
const documents = folders.flatMap((folder) =>
  readdirSync(join(packageRoot, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

describe('commands in documents', () => {
  it.each(documents)('%s', (document) => {
    const lines = commandLines(readFileSync(join(packageRoot, document), 'utf8'));
    expect(lines.map((line) => [line, problemIn(line)]).filter(([, problem]) => problem !== undefined)).toEqual([]);
  });

  it('are found in every place, and wrong ones are refused', () => {
    const text =
      '`srrl eval a`\n\n    npx srrl report a --serve   # x\n\n```sh\nnpx srrl launch --nproc 2 -- distil --x\n```\n';
    const lines = commandLines(text);
    expect(lines).toEqual(['eval a', 'launch --nproc 2 -- distil --x', 'report a --serve']);
    expect(lines.map(problemIn)).toEqual([undefined, 'no command distil', undefined]);
    expect(problemIn('distill --learning-rate 0.1')).toBe('srrl distill has no --learning-rate');
    expect(problemIn('sweep a.yaml -- --nowhere')).toBe('srrl distill has no --nowhere');
  });
});

describe('examples in the help of commands', () => {
  it.each(commands.flatMap(({ examples }) => examples))('%s', (example) => {
    const [, line = ''] = /srrl ([^#|]*)/.exec(example) ?? [];
    expect(problemIn(line.trim())).toBeUndefined();
  });
});
