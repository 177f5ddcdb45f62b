/** Several processes on a mock device each, whose collectives are operators: alone and in captured steps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSafetensors, type Tensor } from '../../src/torch.js';
import { type Ended, runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-device-ranks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const mock = `--import=${new URL('../helpers/mock-device.mjs', import.meta.url).href}`;

/** Two epochs of five steps; the first two of each size run operator by operator. */
const common = [
  ...['bin/srrl.js', 'distill', '--data', 'shapes:120?test=50', '--teacher', 'assets/shapes-teacher.pt'],
  ...['--student', 'module:test/distributed/smooth-student.mjs', '--epochs', '2', '--batch-size', '24'],
  ...['--ema', '0.9', '--lr', '0.02', '--clip-norm', '1', '--convolutions', 'plain'],
];

async function run(ranks: number, out: string, args: string[], env: Record<string, string> = {}): Promise<Ended[]> {
  // A device draws other random numbers than the CPU.
  const all = await runRanks(ranks, [...common, '--out', join(folder, out), ...args], {
    env: { SRRL_DROPOUT: '0', ...env },
  });
  for (const { code, output } of all) expect(code, output).toBe(0);
  return all;
}

const onDevice = (ranks: number, out: string, ...args: string[]): Promise<Ended[]> =>
  run(ranks, out, ['--device', 'hpu', ...args], { NODE_OPTIONS: mock, SRRL_COUNT_RECORDED: '1' });

function difference(a: string, b: string): number {
  const [one, other] = [a, b].map((name) => loadSafetensors(join(folder, name, 'student.safetensors')).tensors) as [
    Record<string, Tensor>,
    Record<string, Tensor>,
  ];
  const norm = (tensors: Tensor[]) => Math.hypot(...tensors.map((tensor) => Number(tensor.norm().item())));
  const wide = (tensors: Record<string, Tensor>) => Object.values(tensors).map((tensor) => tensor.to('float64'));
  return norm(wide(one).map((tensor, i) => tensor.sub(wide(other)[i] as Tensor))) / norm(wide(one));
}

describe('two processes with a device each', () => {
  const kinds = [
    ['srrl', ['--method', 'srrl']],
    ['methods that compare images', ['--method', 'dist+sp:sp=100']],
    ['own statistics', ['--no-sync-batch-norm']],
  ] as const;

  it.each(kinds)('train with %s as two processes on CPUs', async (name, args) => {
    const slug = name.replaceAll(' ', '-');
    await run(2, `${slug}-cpu`, [...args]);
    const ranks = await onDevice(2, `${slug}-device`, ...args);
    expect(difference(`${slug}-cpu`, `${slug}-device`)).toBeLessThan(1e-5);
    for (const { output } of ranks) {
      // Steps were captured, with the reduction of gradients in them.
      expect(output).not.toMatch(/not captured/);
      expect(output).toMatch(/srrl::all_reduce_ \d+/);
    }
  });

  it.each(['cpu', 'device'])('leave out a step in which a statistic of one of them is NaN, on %s', async (where) => {
    const args = ['--no-sync-batch-norm', '--on-non-finite', 'skip'];
    for (const rank of ['0', '1']) {
      const env = { SRRL_NAN_RANK: rank, ...(where === 'device' && { NODE_OPTIONS: mock, SRRL_COUNT_RECORDED: '1' }) };
      const ranks = await run(
        2,
        `${where}-${rank}`,
        [...args, ...(where === 'device' ? ['--device', 'hpu'] : [])],
        env,
      );
      expect(ranks[0]?.output).toMatch(/step \d+.*(statistic|weighted sum)/);
    }
    expect(difference(`${where}-0`, `${where}-1`)).toBe(0);
  });
});
