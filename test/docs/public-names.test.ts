/** What a user of PyTorch looks for is there under its name, or has a row in docs/pytorch.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { camelCase } from '../../src/tensor/names.js';
import torch, { nn, optim, Tensor } from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';
import { fixture } from '../helpers/inputs.js';
import { type Exceptions, missing, writtenDifferently } from './public-names.js';

const places: Record<string, object> = {
  torch,
  Tensor: Tensor.prototype,
  'torch.nn': nn,
  'torch.nn.functional': nn.functional,
  'torch.nn.init': nn.init,
  'torch.nn.utils': nn.utils,
  'torch.nn.utils.rnn': nn.utils.rnn,
  'torch.nn.utils.parametrizations': nn.utils.parametrizations,
  'torch.nn.utils.parametrize': nn.utils.parametrize,
  'torch.nn.Module': new nn.Identity(),
  'torch.optim': { ...optim, lrScheduler: optim, swaUtils: optim },
  'torch.optim.Optimizer': optim.Optimizer.prototype,
  'torch.optim.lr_scheduler': optim,
  'torch.optim.swa_utils': optim,
  'torch.linalg': torch.linalg,
  'torch.fft': torch.fft,
  'torch.special': torch.special,
  'torch.autograd': torch.autograd,
  'torch.random': torch.random,
};
const { namespaces: names } = fixture<{ namespaces: Record<string, string[]> }>('public_names');

const covers = (pattern: string | RegExp | undefined, name: string): boolean =>
  typeof pattern === 'string' ? pattern.split(' ').includes(name) : (pattern?.test(name) ?? false);
const exceptionsFor = (space: string, name: string): Exceptions[] =>
  [...writtenDifferently, ...missing].filter((group) => covers(group.names[space], name));
const isHere = (space: string, name: string): boolean => {
  const place = places[space] as object;
  return camelCase(name) in place || name in place;
};

describe('public names of PyTorch', () => {
  it.each(Object.keys(names))('%s: each is here, or in the list of exceptions', (space) => {
    expect(names[space]?.length).toBeGreaterThan(1);
    const lost = names[space]?.filter((name) => !isHere(space, name) && exceptionsFor(space, name).length === 0);
    expect(lost).toEqual([]);
    const listed = [...writtenDifferently, ...missing].flatMap(({ names: given }) =>
      typeof given[space] === 'string' ? (given[space] as string).split(' ') : [],
    );
    expect(listed.filter((name) => !names[space]?.includes(name))).toEqual([]);
    const present = listed.filter((name) => isHere(space, name) && camelCase(name) !== 'step' && name !== 'forward');
    expect(present).toEqual([]);
  });

  const page = readFileSync(join(packageRoot, 'docs/pytorch.md'), 'utf8');
  const rowsUnder = (heading: string): string[] => {
    const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
    return section.split('\n').filter((line) => line.startsWith('| '));
  };

  it.each([
    ['Written differently', writtenDifferently],
    ['Missing', missing],
  ] as const)('the page has a row for each exception: %s', (heading, groups) => {
    const rows = rowsUnder(heading);
    for (const { row } of groups) expect([row, rows.some((line) => line.startsWith(`| ${row}`))]).toEqual([row, true]);
  });
});
