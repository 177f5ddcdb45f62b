/** The same weights for any number of processes, and those of PyTorch. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSafetensors, type Tensor } from '../../src/torch.js';
import { runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-ranks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const python = process.env.SRRL_PYTHON;

async function trained(name: string, ranks: number, ...args: string[]): Promise<string> {
  const out = join(folder, name);
  const script = args[0] === 'python' ? 'train.py' : 'train.mjs';
  const options = args[0] === 'python' ? { program: python as string } : {};
  const all = await runRanks(
    ranks,
    [`test/distributed/${script}`, out, ...args.filter((arg) => arg !== 'python')],
    options,
  );
  expect(all.map(({ code, output }) => `${code} ${output}`)).toEqual(all.map(() => '0 '));
  return out;
}

/** The largest norm of a difference in relation to the tensor's own. */
function difference(a: string, b: string): number {
  const [one, other] = [a, b].map((file) => loadSafetensors(file).tensors) as [
    Record<string, Tensor>,
    Record<string, Tensor>,
  ];
  expect(Object.keys(other).sort()).toEqual(Object.keys(one).sort());
  const norm = (tensor: Tensor) => Number(tensor.to('float64').norm().item());
  return Math.max(
    ...Object.entries(one).map(
      ([name, tensor]) => norm(tensor.to('float64').sub(other[name] as Tensor)) / norm(tensor),
    ),
  );
}

describe('50 steps of DistributedDataParallel', () => {
  it('give the weights of one process to two and four, bitwise each time', async () => {
    const alone = await trained('one', 1);
    const two = await trained('two', 2);
    const again = await trained('again', 2);
    const four = await trained('four', 4);
    expect(difference(alone, two)).toBeLessThan(1e-5);
    expect(difference(alone, four)).toBeLessThan(1e-5);
    expect(readFileSync(again).equals(readFileSync(two))).toBe(true);
  });

  it('accumulate without sending inside noSync', async () => {
    const alone = await trained('parts', 1, 'sync', 'accumulate');
    expect(difference(alone, await trained('parts-of-two', 2, 'sync', 'accumulate'))).toBeLessThan(1e-5);
  });

  it.skipIf(!python)('give the weights of PyTorch, alone and by two processes', async () => {
    expect(difference(await trained('sync', 2), await trained('alone.py', 1, 'python'))).toBeLessThan(1e-4);
    expect(difference(await trained('local', 2, 'local'), await trained('two.py', 2, 'python'))).toBeLessThan(1e-4);
  });
});
