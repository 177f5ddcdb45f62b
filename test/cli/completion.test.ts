import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.js';
import { valueSources } from '../../src/cli/completion.js';
import { datasetKinds, methodKinds, models } from '../../src/index.js';
import { kebabCase, z } from '../../src/options.js';
import { node, packageRoot, srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'runs', 'a'), { recursive: true });
writeFileSync(join(folder, 'teacher.pt'), '');
writeFileSync(join(folder, '$(touch hacked)'), '');
symlinkSync(join(folder, 'runs'), join(folder, 'linked'));

const bin = join(packageRoot, 'bin/srrl.js');

/** What the endpoint offers for words of which the last is being completed, and the directive for the shell. */
function complete(words: string[], env: NodeJS.ProcessEnv = {}): { values: string[]; directive: number } {
  const { stdout, stderr, status } = node(bin, ['complete', '--', ...words], { cwd: folder, env });
  expect([stderr, status]).toEqual(['', 0]);
  const lines = stdout.trim().split('\n');
  return { directive: Number(lines.pop()?.slice(1)), values: lines.map((line) => line.split('\t')[0] as string) };
}

const properties = (options: z.ZodObject) =>
  Object.entries(
    z.toJSONSchema(options, { io: 'input' }).properties as Record<string, { type?: string; enum?: string[] }>,
  );

describe('the endpoint', () => {
  it('knows the commands', () => {
    expect(complete(['']).values).toEqual([...commands.map(({ name }) => name), 'completion', 'help']);
    expect(complete(['di']).values).toEqual(['distill']);
  });

  it('knows the flags of a command', () => {
    const distill = commands.find(({ name }) => name === 'distill');
    const flags = properties(distill?.options as z.ZodObject).filter(([, { type }]) => type !== 'object');
    const { values } = complete(['distill', '--']);
    for (const [key] of flags)
      expect([`--${kebabCase(key)}`, `--no-${kebabCase(key)}`]).toContain(
        values.find((value) => value.replace('--no-', '--') === `--${kebabCase(key)}`),
      );
    expect(values).toContain('--config');
  });

  it('knows values', () => {
    expect(complete(['distill', '--method', 'srrl+']).values).toEqual(methodKinds.map(({ name }) => `srrl+${name}`));
    expect(complete(['eval', ''])).toEqual({ values: ['linked/', 'runs/', 'teacher.pt'], directive: 6 });
    expect(complete(['eval', 'nowhere/'])).toEqual({ values: [], directive: 4 });
  });

  it('says nothing behind a colon at which bash cuts words', () => {
    const words = ['distill', '--data', 'folder:r'];
    expect(complete(words, { COMP_WORDBREAKS: ' :=' }).values).toEqual([]);
    expect(complete(words, { COMP_WORDBREAKS: ' =' })).toEqual({ values: ['folder:runs/'], directive: 6 });
  });
});

it('values come from the registries', () => {
  const values = (name: string, word: string) => [...(valueSources[name]?.(word) ?? [])].map(([value]) => value);
  const kinds = values('data', '').map((value) => value.replace(':', ''));
  expect(kinds).toEqual([...datasetKinds.map(({ kind }) => kind), 'module']);
  expect(values('student', '')).toEqual([...models.list(), 'module:']);
  expect(values('name', '')).toEqual(models.list());
  expect(values('method', '')).toEqual([...methodKinds.map(({ name }) => name), 'module:']);
  expect(values('method', 'srrl+kd:te')).toContain('srrl+kd:temperature=');
  expect(values('teacher', 'resnet8:bin/')).toContain('resnet8:bin/srrl.js');
  expect(values('config', '')).toContain('recipes/cifar100/crd.yaml');
});

it('every option that takes a text has a source, or is known to be free', () => {
  const free = ['tap', 'cuda', 'sha256', 'only', 'batch', 'master'];
  for (const { name, options } of commands) {
    for (const [key, { type, enum: choices }] of properties(options)) {
      if (type === 'string' && !choices && !free.includes(key))
        expect(valueSources, `--${key} of ${name}`).toHaveProperty(key);
    }
  }
});

describe('the scripts', () => {
  it.each(['zsh', 'fish'])('%s', (shell) => {
    const { stdout, stderr, status } = srrl(['completion', shell]);
    expect([stderr, status]).toEqual(['', 0]);
    expect(stdout).toContain('srrl complete --');
  });

  it('that of bash works in bash', () => {
    // What bash-completion gives to the script, for the words of the test.
    const program = `
      srrl() { "${process.execPath}" "${bin}" "$@"; }
      compopt() { echo "$@"; }
      _get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cur="\${COMP_WORDS[COMP_CWORD]}"; }
      source <(srrl completion bash)
      COMP_WORDS=(srrl "$@"); COMP_CWORD=$#
      __srrl_complete
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const ask = (...words: string[]) =>
      spawnSync('bash', ['-c', program, 'bash', ...words], { cwd: folder, encoding: 'utf8' });
    expect(ask('distill', '--method', 'si')).toMatchObject({ stdout: '+o default\nsimkd\n', stderr: '' });
    expect(ask('eval', '').stdout).toBe('-o nospace\n+o default\nlinked/\nruns/\nteacher.pt\n');
  });
});
