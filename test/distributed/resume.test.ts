/** Runs that continue in the middle of an epoch with another number of processes. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSafetensors, type Tensor } from '../../src/torch.js';
import { runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-other-ranks-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Two epochs of three steps: memory banks, momentum, averages and random numbers, on a network without kinks. */
const common = [
  ...['bin/srrl.js', 'distill', '--data', 'shapes:60?test=50', '--teacher', 'assets/shapes-teacher.pt'],
  ...['--student', 'module:test/distributed/smooth-student.mjs', '--method', 'crd:negatives=64+kd', '--ema', '0.9'],
  ...['--epochs', '2', '--batch-size', '24', '--clip-norm', '1', '--lr', '0.05'],
  ...['--checkpoint-steps', '2', '--keep-checkpoints', '9'],
];

async function run(ranks: number, out: string, ...more: string[]): Promise<string> {
  const all = await runRanks(ranks, [...common, '--out', join(folder, out), ...more]);
  for (const { code, output } of all) expect(code, output).toBe(0);
  return all.map(({ output }) => output).join('\n');
}

/** The folder of a run as it was after its second step. */
function afterTwoSteps(from: string, name: string): string {
  cpSync(join(folder, from), join(folder, name), { recursive: true });
  for (const file of readdirSync(join(folder, name)))
    if (/^checkpoint-/.test(file) && !/0002\.safetensors$/.test(file)) rmSync(join(folder, name, file));
  return name;
}

const state = (name: string) => loadSafetensors(join(folder, name, 'checkpoint-000000006.safetensors')).tensors;

/** Of the parts of a state (weights, momentum, banks, averages), the norm of the difference in relation to the norm. */
function differences(a: string, b: string): Record<string, number> {
  const [one, other] = [state(a), state(b)];
  expect(Object.keys(other).sort()).toEqual(Object.keys(one).sort());
  const sums: Record<string, [number, number]> = {};
  const square = (tensor: Tensor) => Number(tensor.square().sum().item());
  for (const [name, tensor] of Object.entries(one)) {
    const part = /\.(bank|normalizer)$/.exec(name)?.[1] ?? (name.split('.')[0] as string);
    const [x, y] = [tensor.to('float64'), (other[name] as Tensor).to('float64')];
    const [apart = 0, whole = 0] = sums[part] ?? [];
    sums[part] = [apart + square(x.sub(y)), whole + square(x)];
  }
  return Object.fromEntries(
    Object.entries(sums).map(([part, [apart, whole]]) => [part, apart === 0 ? 0 : Math.sqrt(apart / whole)]),
  );
}

describe('a run that continues in the middle of an epoch', () => {
  beforeAll(async () => {
    await run(1, 'one');
    await run(2, 'two');
  });

  it.each([
    ['two', 2, 1],
    ['one', 1, 2],
    ['two', 2, 4],
  ])('of %s (%i) with %i processes has the state of an uninterrupted one', async (from, before, after) => {
    const name = afterTwoSteps(from, `${before}-${after}`);
    expect(await run(after, name, '--resume')).toMatch(/resumed after step 2/);
    const { generator, ...rest } = differences(from, name);
    // Every process draws as many random numbers as one process would: their state is the same, bitwise.
    expect(generator).toBe(0);
    expect(Object.keys(rest).sort()).toEqual(['bank', 'ema', 'module', 'normalizer', 'optimizer']);
    for (const [part, value] of Object.entries(rest)) expect(value, part).toBeLessThan(1e-5);
  });
});
