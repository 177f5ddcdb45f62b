import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot, srrl } from '../helpers/cli.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'srrl-sweep-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const common = (out: string, epochs: number) => `
out: ${join(folder, out)}
common: { data: 'shapes:48?test=24', batchSize: 16, epochs: ${epochs} }`;
const teacher = join(packageRoot, 'assets/shapes-teacher.pt');

interface Line {
  name: string;
  state: string;
}
const plan = (file: string): Line[] => JSON.parse(srrl(['sweep', file, '--plan', '--json']).stdout);

describe('srrl sweep', () => {
  it('trains teachers, then each point of the grid, and runs nothing twice', () => {
    const file = write(
      'grid.yaml',
      `${common('grid', 1)}
teachers:
  big: { options: { student: resnet14 } }
runs:
  - { teacher: big, options: { student: resnet8 }, grid: { method: [srrl, 'kd:temperature=2'], seed: [0, 1] } }
  - { name: shared, teacher: '${teacher}', options: { student: resnet8 }, grid: { seed: [3, 4] }, together: true }
`,
    );
    expect(plan(file)).toEqual(
      [
        ['teachers/big', null],
        ...['srrl/seed-0', 'srrl/seed-1', 'kd_temperature=2/seed-0', 'kd_temperature=2/seed-1'].map((name) => [
          `big-resnet8/${name}`,
          'teachers/big',
        ]),
        ['shared', null],
      ].map(([name, needs]) => ({ name, state: 'waiting', needs })),
    );
    const { status, stdout, stderr } = srrl(['sweep', file, '--', '--lr', '0.02']);
    expect([status, stderr.match(/\d+ of \d+ jobs are finished/)?.[0]]).toEqual([0, '6 of 6 jobs are finished']);
    expect(stdout.match(/resnet8/g)?.length).toBeGreaterThanOrEqual(3);
    expect(readFileSync(join(folder, 'grid/big-resnet8/srrl/seed-1/config.yaml'), 'utf8')).toMatch(/lr: 0.02/);
    expect(existsSync(join(folder, 'grid/shared/seed-4/student.safetensors'))).toBe(true);
    expect(plan(file).map(({ state }) => state)).toEqual(Array(6).fill('finished'));

    const again = srrl(['sweep', file]);
    expect(again.stderr).not.toContain('[1/6]');
    const { groups } = JSON.parse(srrl(['sweep', file, '--table', '--json']).stdout);
    expect(groups.map(({ seeds }: { seeds: number[] }) => seeds)).toEqual([[0], [0, 1], [0, 1], [3, 4]]);
  }, 120_000);

  it('stops in time and resumes, and a run that fails keeps no other from running', async () => {
    const file = write(
      'slices.yaml',
      `${common('slices', 400)}
runs:
  - { name: broken, teacher: '${join(folder, 'nowhere.pt')}' }
  - { name: long, teacher: '${teacher}' }
`,
    );
    const first = srrl(['sweep', file, '--time-budget', '0.15']);
    expect(first.status).toBe(1);
    expect(first.stderr).toMatch(/\[1\/2\] broken: failed with exit status/);
    expect(first.stderr).toContain('failed: broken');
    expect(first.stderr).toContain(`Resume with: srrl sweep ${file}`);
    expect(plan(file).map(({ state }) => state)).toEqual(['waiting', 'begun']);
    const second = srrl(['sweep', file, '--time-budget', '0.15']);
    expect(second.stderr).toMatch(/\[2\/2\] long: resumes/);
    expect(second.stderr).toMatch(/after step \d+/);

    // Ctrl-C, which a terminal sends to the whole group.
    const child = spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), 'sweep', file], { detached: true });
    let text = '';
    child.stderr.on('data', (data) => {
      text += data;
    });
    await expect.poll(() => text, { timeout: 30_000 }).toMatch(/after step/);
    process.kill(-(child.pid as number), 'SIGINT');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(text).toContain(`Resume with: srrl sweep ${file}`);
  }, 120_000);

  it('refuses what the last run could not do before the first one begins', () => {
    const fails = (name: string, text: string) => {
      const { status, stderr } = srrl(['sweep', write(name, text)]);
      expect(status).not.toBe(0);
      return stderr;
    };
    expect(fails('typo.yaml', 'runs: [{ name: a, options: { epoch: 3 } }]')).toMatch(/epoch'?.*a of .*typo\.yaml/s);
    expect(fails('grid-typo.yaml', 'runs: [{ name: a, grid: { lr: [0.1, fast] } }]')).toMatch(/lr/);
    expect(fails('twins.yaml', 'runs: [{ name: a }, { name: a }]')).toMatch(/asks for a twice/);
    expect(fails('seeds.yaml', 'runs: [{ name: a, grid: { seed: [1, 3] }, together: true }]')).toMatch(
      /follow each other/,
    );
    expect(fails('field.yaml', 'runs: [{ nam: a }]')).toMatch(/nam/);
    expect(fails('broken.yaml', 'runs: [')).toMatch(/cannot be read/);
    expect(srrl(['sweep', join(folder, 'missing.yaml')]).stderr).toMatch(/cannot be read/);
    expect(srrl(['sweep']).status).not.toBe(0);
  });

  it('the table of the CRD benchmark has 13 pairs and their teachers', () => {
    const jobs = plan(join(packageRoot, 'recipes/cifar100/table.yaml'));
    const pairs = new Set(jobs.map(({ name }) => name.split('/')[0]).filter((name) => name !== 'teachers'));
    expect(pairs.size).toBe(13);
    expect(jobs.filter(({ name }) => name.startsWith('teachers/'))).toHaveLength(6);
    expect(jobs).toHaveLength(6 + 13 * 11 * 3);
  });
});
