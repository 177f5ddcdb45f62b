/** Shell completion: @bomb.sh/tab provides scripts and protocol, the registries provide the values. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ShellCompDirective, script } from '@bomb.sh/tab';
import tab from '@bomb.sh/tab/commander';
import type { Command as Commander } from 'commander';
import { datasetKinds } from '../data/datasets/index.js';
import { methodKinds } from '../distill/methods/index.js';
import { list as listModels } from '../models/index.js';
import { packageRoot } from '../native.js';

/** Returns the values that complete a word, each with a description or an empty text. */
type Source = (word: string) => Iterable<readonly [value: string, description: string]>;

const plain = (values: Iterable<string>): [string, string][] => [...values].map((value) => [value, '']);

/** bash expands completions, so files whose names have special characters are not offered. */
const isHarmless = (name: string): boolean => /^[\p{L}\p{N}_.,@%+=-]+$/u.test(name);

/** Completes files and folders; a folder ends with a slash, so that completion continues inside it. */
const paths: Source = (word) => {
  const folder = word.slice(0, word.lastIndexOf('/') + 1);
  const hidden = word.slice(folder.length).startsWith('.');
  const names = entries(folder || '.').filter((name) => isHarmless(name) && (hidden || !name.startsWith('.')));
  return plain(names.map((name) => `${folder}${name}${isFolder(folder + name) ? '/' : ''}`));
};

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // A missing folder has nothing to complete.
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Completes `kind:path`: first the kind, then a path. */
const withPath =
  (first: Source): Source =>
  (word) => {
    const colon = word.indexOf(':') + 1;
    if (colon === 0) return first(word);
    return [...paths(word.slice(colon))].map(([path]) => [word.slice(0, colon) + path, '']);
  };

const dataSources = withPath(() => [
  ...datasetKinds.map(
    ({ kind, usage, summary }) => [usage.startsWith(`${kind}:`) ? `${kind}:` : kind, summary] as const,
  ),
  ['module:', 'a file of yours'] as const,
]);

const models: Source = () => plain(listModels());
const students = withPath((word) => [...models(word), ['module:', 'a file of yours']]);

/** Completes a file or a run; model names only after their first letter, because there are many. */
const teachers = withPath((word) => [
  ...paths(word),
  ...(word === '' ? [] : listModels().map((name) => [`${name}:`, 'its weights'] as const)),
]);

/** Completes the last of several methods joined by +, or an option after its colon. */
const methods: Source = (word) => {
  if (word.startsWith('module:')) return withPath(() => [])(word);
  const [, before = '', name = '', options] = word.match(/^(.*\+)?([^+:]*)(:.*)?$/) ?? [];
  const kind = methodKinds.find((candidate) => candidate.name === name);
  if (options !== undefined)
    return plain(Object.keys(kind?.options.shape ?? {}).map((key) => `${before}${name}:${key}=`));
  return [
    ...methodKinds.map(({ name: method, summary }) => [before + method, summary] as const),
    ...(before === '' ? [['module:', 'a file of yours'] as const] : []),
  ];
};

/** Completes files and the recipes of this package. */
const configurations: Source = (word) => [
  ...paths(word),
  ...plain(
    readdirSync(join(packageRoot, 'recipes'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => relative('.', join(packageRoot, 'recipes', file))),
  ),
];

/** Values of options and arguments by their names. Numbers and choices need no entry. */
/** The usual devices; asking for the available ones would load libtorch. */
function devices(): [string, string][] {
  return [
    ['cpu', 'the CPU'],
    ['cuda', 'the first NVIDIA GPU'],
  ];
}

export const valueSources: Record<string, Source> = {
  data: dataSources,
  student: students,
  teacher: teachers,
  method: methods,
  config: configurations,
  name: models,
  device: devices,
  run: paths,
  image: paths,
  model: withPath(() => [['module:', 'a file of yours']]),
  file: paths,
  out: paths,
  html: paths,
  tensorboard: paths,
  reporters: withPath(() => [['module:', 'a file of yours']]),
  teacherCache: paths,
  shardCache: paths,
  profile: paths,
  python: paths,
  photos: paths,
  results: paths,
  save: paths,
  check: paths,
  from: paths,
};

/** Adds `srrl completion <shell>` and the hidden command that its scripts call. Call it after adding all commands. */
export function addCompletion(program: Commander): void {
  const completion = tab(program, { completionCommandName: 'completion' });
  // The word to complete, without the flag of --flag=value. The library does not pass it on.
  const word = (process.argv.at(-1) ?? '').replace(/^--[^=]+=/, '');
  const given: string[] = [];
  for (const command of completion.commands.values()) {
    for (const [name, target] of [...command.options, ...command.arguments]) {
      const source = valueSources[name];
      if (!source || ('isBoolean' in target && target.isBoolean)) continue;
      target.handler = (complete) => {
        for (const [value, description] of isCut(word) ? [] : source(word)) {
          if (value.startsWith(word)) given.push(value);
          complete(value, description);
        }
      };
    }
  }
  // The library always adds a space after the word, even if a path or an option has to continue.
  const { ShellCompDirectiveNoFileComp: noFiles, ShellCompDirectiveNoSpace: noSpace } = ShellCompDirective;
  Object.defineProperty(completion, 'directive', {
    get: () => (given.some((value) => /[/:=]$/.test(value)) ? noFiles | noSpace : noFiles),
    set: () => {},
  });
  // bash must export where it cuts words; see isCut.
  const name = program.name();
  const shells = program.commands.find((command) => command.name() === 'completion') as Commander;
  shells
    .description('print the completion script of a shell')
    .addHelpText('after', '\nExamples:\n  source <(srrl completion bash)\n  srrl completion fish | source')
    .action((shell: string) => script(shell, name, shell === 'bash' ? `export COMP_WORDBREAKS; ${name}` : name));
}

/** By default bash cuts words at colons and would insert the part before one twice; such words are not completed. */
const isCut = (word: string): boolean => word.includes(':') && (process.env.COMP_WORDBREAKS ?? '').includes(':');
