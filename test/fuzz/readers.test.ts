import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import torch, { SrrlError } from '../../src/torch.js';
import { node, packageRoot } from '../helpers/cli.js';
import { mutated } from '../helpers/mutate.js';
import { targets } from './targets.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** Mutated files for each reader; `npm run fuzz` tries many more. */
const trials = Number(process.env.SRRL_FUZZ_TRIALS ?? 100);
/** Milliseconds after which a small file is taken for one that hangs its reader. */
const patience = 20_000;

describe('whatever the bytes are', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s: a value or an error of this package, no tensor left, no hang',
    async (name, { samples, read, file }) => {
      const below = join(folder, name.replace(/\W/g, '-'));
      mkdirSync(below);
      const whole = await samples(below);
      expect(whole.length).toBeGreaterThan(0);
      const path = join(below, file);
      const attempt = (bytes: Buffer, trial: number | string) =>
        torch.asyncScope(async () => {
          writeFileSync(path, bytes);
          const began = performance.now();
          try {
            await read(path, below);
          } catch (error) {
            if (!(error instanceof SrrlError)) throw new Error(`${name}, trial ${trial}: ${error}`, { cause: error });
            expect(error.message.split('\n').length).toBeLessThan(4);
          }
          expect(performance.now() - began, `${name}, trial ${trial}`).toBeLessThan(patience);
        });
      for (const [i, bytes] of whole.entries()) await attempt(bytes, `sample ${i}`);
      const before = torch.memory().tensors;
      for (let trial = 0; trial < trials; trial++)
        await attempt(mutated(whole[trial % whole.length] as Buffer, 5, trial), trial);
      expect(torch.memory().tensors).toBeLessThanOrEqual(before);
    },
    120_000,
  );
});

describe('a TorchScript file', () => {
  it('that was changed anywhere is read or refused, and never ends the process', () => {
    const sample = readFileSync(join(packageRoot, 'assets/shapes-teacher.pt'));
    const names: string[] = [];
    for (let trial = 0; trial < 60; trial++) {
      names.push(join(folder, `${trial}.pt`));
      writeFileSync(names.at(-1) as string, mutated(sample, 6, trial));
    }
    const script = join(folder, 'inspect.mjs');
    writeFileSync(
      script,
      `const { inspectScript, SrrlError } = await import('${packageRoot}/dist/index.js');
      const counts = { read: 0, refused: 0 };
      for (const file of process.argv.slice(2))
        try { inspectScript(file); counts.read++; }
        catch (error) { if (!(error instanceof SrrlError)) throw error; counts.refused++; }
      console.log(JSON.stringify(counts));`,
    );
    const { status, signal, stdout, stderr } = node(script, names);
    expect([status, signal, stderr]).toEqual([0, null, '']);
    const counts = JSON.parse(stdout) as { read: number; refused: number };
    expect(counts.read + counts.refused).toBe(names.length);
    expect(counts.refused).toBeGreaterThan(names.length / 2);
  }, 60_000);
});
