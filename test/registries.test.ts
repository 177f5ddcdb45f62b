import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../src/cli/commands/index.js';
import { formats } from '../src/export/index.js';
import { datasetKinds, methodKinds, models } from '../src/index.js';

const filesIn = (folder: string, ...others: string[]) =>
  readdirSync(new URL(`../src/${folder}`, import.meta.url))
    .filter((file) => file.endsWith('.ts') && !['index.ts', ...others].includes(file))
    .map((file) => file.replace('.ts', ''))
    .sort();

describe('every file of a folder of definitions is in its registry', () => {
  it('commands', () => {
    expect(commands.map(({ name }) => name).sort()).toEqual(filesIn('cli/commands'));
    for (const { summary, examples } of commands)
      expect([summary.length > 0, examples.length > 0]).toEqual([true, true]);
  });

  it('data sets', () => {
    expect(datasetKinds.map(({ kind }) => kind).sort()).toEqual(filesIn('data/datasets'));
  });

  it('export formats', () => {
    expect(formats.map(({ name }) => name).sort()).toEqual(filesIn('export/formats'));
    const endings = formats.flatMap(({ endings }) => endings);
    expect(new Set(endings).size).toBe(endings.length);
  });

  it('methods', () => {
    expect(methodKinds).toHaveLength(filesIn('distill/methods').length);
  });

  it('models', () => {
    const others = ['blocks.ts', 'contract.ts', 'measure.ts', 'signature.ts', 'signatures.generated.ts'];
    expect(models.modelFamilies).toHaveLength(filesIn('models', ...others).length);
    expect(new Set(models.list()).size).toBe(models.list().length);
  });
});
