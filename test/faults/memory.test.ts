/** Memory that runs out: refused by the system, or limited by a control group, as containers and batch systems do it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-memory-'));
const groups: string[] = [];
afterAll(() => {
  for (const group of groups) rmdirSync(group);
  rmSync(folder, { recursive: true });
});

/** A control group with this many bytes; undefined where this process may not make one. */
function groupOf(bytes: number): string | undefined {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  const pathOf = (kind: string) => lines.find((line) => line.split(':')[1] === kind)?.split(':')[2] ?? '';
  const versions = [
    { group: `/sys/fs/cgroup${pathOf('')}`, limit: 'memory.max' },
    { group: `/sys/fs/cgroup/memory${pathOf('memory')}`, limit: 'memory.limit_in_bytes' },
  ];
  for (const { group, limit } of versions) {
    const own = join(group, `srrl-test-${process.pid}-${bytes}`);
    if (!existsSync(join(group, 'cgroup.procs'))) continue;
    try {
      mkdirSync(own);
      groups.push(own);
      writeFileSync(join(own, limit), String(bytes));
      return own;
    } catch {
      // Not for us, or without a limit for memory.
    }
  }
  return undefined;
}

function shell(command: string) {
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const { status, signal, stdout, stderr } = spawnSync('bash', ['-c', command], {
    ...{ cwd: packageRoot, encoding: 'utf8', env },
  });
  return { status, signal, text: `${stdout}${stderr}` };
}

const within = (group: string, command: string) => shell(`echo $$ > '${group}/cgroup.procs' && exec ${command}`);

const train = (student: string, batch: number, out: string) =>
  `node bin/srrl.js train --data 'shapes:1200?test=24' --student ${student} --epochs 1 --batch-size ${batch} --out '${out}'`;

it('that the system refuses (ulimit) is an error, not the end of the process', () => {
  const { status, signal, text } = shell(`ulimit -v 3000000; ${train('resnet56', 1200, join(folder, 'refused'))}`);
  expect(text).toMatch(/can't allocate memory/);
  expect(text).not.toMatch(/\n\s+at /);
  expect([status, signal]).toEqual([1, null]);
}, 60_000);

const limited = groupOf(600 * 2 ** 20);

describe.skipIf(limited === undefined)('that a control group limits', () => {
  const group = limited as string;

  it('is an error in the forward pass, not the end by the OOM killer', () => {
    const { status, signal, text } = within(group, train('resnet56', 1200, join(folder, 'forward')));
    expect(text).toMatch(/can't allocate memory: \d+ bytes were asked for; of the 629145600 bytes/);
    expect(text).not.toMatch(/\n\s+at /);
    expect([status, signal]).toEqual([1, null]);
  }, 120_000);

  it.each([
    ['forward', 'torch.scope(() => x.matmul(x.t()));'],
    ['backward', "x.requiresGrad_(); const y = x.mul(x).mul(x).sum(); console.log('forward'); y.backward();"],
    ['loader', "const loader = new Loader(data, 'train', { batchSize: 48_000 }); loader.begin(0); loader.batch(0);"],
  ])(
    'is an OutOfMemoryError in the %s, after which the program continues',
    (name, action) => {
      const script = join(folder, 'one.mjs');
      writeFileSync(
        script,
        `const { default: torch, OutOfMemoryError } = await import('${packageRoot}/dist/torch.js');
      const { Loader, openDataset } = await import('${packageRoot}/dist/index.js');
      const data = await openDataset('shapes:12?test=12');
      // As if it had many images; their pixels are 150 MB, a batch as float32 600.
      const [images, labels] = [new Uint8Array(48_000 * 3072), new Uint8Array(48_000)];
      data.train = { images, labels };
      try {
        const x = torch.ones([14_000, 2000]);
        ${action}
        console.log('enough');
      } catch (error) {
        console.log(error instanceof OutOfMemoryError ? 'refused' : error);
      }
      console.log(torch.ones([2, 2]).sum().item());`,
      );
      const { status, signal, text } = within(group, `node ${script}`);
      expect(
        text
          .trim()
          .split('\n')
          .filter((line) => line !== 'forward'),
      ).toEqual(['refused', '4']);
      expect(text.includes('forward')).toBe(name === 'backward');
      expect([status, signal]).toEqual([0, null]);
    },
    60_000,
  );

  it('does not stand in the way of what fits', () => {
    const { status, text } = within(group, train('resnet8', 32, join(folder, 'fits')));
    expect(text).not.toMatch(/allocate memory/);
    expect(text).toMatch(/and 0\.\d of 0\.6 GiB of memory/);
    expect(status).toBe(0);
  }, 120_000);
});
