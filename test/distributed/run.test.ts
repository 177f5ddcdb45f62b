/** Runs of the trainer by several processes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSafetensors, type Tensor } from '../../src/torch.js';
import { packageRoot, srrl } from '../helpers/cli.js';
import { type Ended, ended } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-runs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Few steps at a low learning rate: with ReLU, a difference in the last digit grows from step to step. */
const common = [
  ...['--data', 'shapes:60?test=50', '--teacher', 'assets/shapes-teacher.pt', '--student', 'resnet8'],
  ...['--epochs', '1', '--lr', '0.001', '--convolutions', 'plain'],
];
const options = (out: string, ...more: string[]) => ['distill', ...common, '--out', join(folder, out), ...more];

function difference(a: string, b: string): number {
  const [one, other] = [a, b].map((name) => loadSafetensors(join(folder, name, 'student.safetensors')).tensors) as [
    Record<string, Tensor>,
    Record<string, Tensor>,
  ];
  const flat = (tensors: Record<string, Tensor>) => Object.values(tensors).map((tensor) => tensor.to('float64'));
  const norm = (tensors: Tensor[]) => Math.hypot(...tensors.map((tensor) => Number(tensor.norm().item())));
  const [x, y] = [flat(one), flat(other)];
  return norm(x.map((tensor, i) => tensor.sub(y[i] as Tensor))) / norm(x);
}

const metrics = (name: string) => {
  const [head = '', row = ''] = readFileSync(join(folder, name, 'metrics.csv'), 'utf8')
    .trim()
    .split('\n');
  const values = Object.fromEntries(head.split(',').map((key, i) => [key, Number(row.split(',')[i])]));
  const { images_per_second: _speed, seconds: _seconds, ...rest } = values;
  return rest;
};

const launched = (args: string[], flags: string[] = []): Promise<Ended> => {
  const all = ['bin/srrl.js', 'launch', '--nproc', '2', '--timeout', '20', ...flags, '--', ...args];
  return ended(spawn(process.execPath, all, { cwd: packageRoot }));
};

describe('a run of two processes', () => {
  // The last batch has 12 images of 24; parts have 12.
  const batches = ['--batch-size', '24', '--micro-batch', '12'];

  it('is that of one process', async () => {
    expect(srrl(options('one', ...batches)).status).toBe(0);
    const { code, output } = await launched(options('two', ...batches));
    expect(code, output).toBe(0);
    expect(difference('one', 'two')).toBeLessThan(1e-5);
    const [one, two] = [metrics('one'), metrics('two')];
    for (const [name, value] of Object.entries(one)) expect(two[name]).toBeCloseTo(value, 4);
    expect(readdirSync(join(folder, 'two')).sort()).toEqual(readdirSync(join(folder, 'one')).sort());
  });

  it('compares the images of all of them where a method does', async () => {
    const method = ['--batch-size', '20', '--method', 'crd:negatives=64+dist+sp:sp=100'];
    expect(srrl(options('compared', ...method)).status).toBe(0);
    const { code, output } = await launched(options('compared-by-two', ...method));
    expect(code, output).toBe(0);
    expect(difference('compared', 'compared-by-two')).toBeLessThan(1e-5);
  });

  it('says what is wrong before it begins', async () => {
    const odd = await launched(options('odd', '--batch-size', '25'));
    expect(odd.code).not.toBe(0);
    expect(odd.output).toMatch(/--batch-size 25 cannot be divided by 2 processes.*Use 24 or 26/);
    const launcher = srrl(['launch', '--nnodes', '2', '--', 'demo']);
    expect(launcher.stderr).toMatch(/--nnodes needs --master/);
  });
});
