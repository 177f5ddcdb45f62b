/** Processes that were not started alike: each says which one differs, and in what. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';
import { type Ended, runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-mismatch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const quoted = (args: readonly string[]): string => args.map((arg) => `'${arg}'`).join(' ');

/** Runs one command as rank 0, and another one as the others. */
function runDifferently(first: readonly string[], others: readonly string[], count = 2): Promise<Ended[]> {
  const script = `if [ "$RANK" = 0 ]; then exec node ${quoted(first)}; else exec node ${quoted(others)}; fi`;
  return runRanks(count, ['-c', script], { program: 'bash' });
}

const distill = (changes: Record<string, string> = {}): string[] => {
  const flags = {
    ...{ data: 'shapes:60?test=50', teacher: 'assets/shapes-teacher.pt', student: 'resnet8' },
    ...{ 'batch-size': '12', epochs: '1', ...changes },
  };
  return ['bin/srrl.js', 'distill', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
};

async function refused(ranks: Promise<Ended[]>, message: RegExp): Promise<void> {
  for (const { code, output } of await ranks) {
    expect(code, output).not.toBe(0);
    expect(output).toMatch(message);
  }
}

describe('a rank', () => {
  it.each([
    ['configuration', { seed: '1' }, /Rank 1 has another run than rank 0: seed is 1 there and 0 on rank 0\. Start all/],
    [
      'student',
      { student: 'resnet14' },
      /Rank 1 has another run than rank 0: student is "resnet14" there and "resnet8"/,
    ],
    ['data', { data: 'shapes:72?test=50' }, /Rank 1 has another run than rank 0: training images is/],
    ['use of a cache', { 'teacher-cache': folder }, /Rank 1 has another run than rank 0: .*cache/],
  ])('with another %s is named', async (_what, changes, message) => {
    await refused(runDifferently(distill(), distill(changes)), message);
  });

  it('with another version of the package is named', async () => {
    const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as object;
    const other = join(folder, 'package');
    mkdirSync(other);
    writeFileSync(join(other, 'package.json'), JSON.stringify({ ...manifest, version: '9.9.9' }));
    for (const name of ['bin', 'dist', 'build', 'node_modules', 'assets', 'libtorch.json'])
      symlinkSync(join(packageRoot, name), join(other, name));
    const [main = '', ...rest] = distill();
    const links = ['--preserve-symlinks', '--preserve-symlinks-main', join(other, main), ...rest];
    await refused(runDifferently(distill(), links), /Rank 1 has .*: version of srrl is "9\.9\.9" there and "/);
  });

  it('with another module in DistributedDataParallel is named', async () => {
    const program = ['test/distributed/other-module.mjs'];
    for (const [rank, { code, output }] of (await runRanks(2, program)).entries()) {
      expect(code, output).not.toBe(0);
      if (rank === 1)
        expect(output).toMatch(/Rank 1 has another module than rank 0: 'weight float32 \[3,2\]' instead of 'weight/);
      else expect(output).toMatch(/Rank 1 on \S+ (failed: Rank 1 has another module|does not answer)/);
    }
  });

  it('without a GPU of its own is refused', async () => {
    await refused(
      runRanks(2, distill({ device: 'cuda:1' })),
      /--device cuda:1 is one GPU for 2 processes\. Pass --device cuda/,
    );
  });

  it('that has no image of its own is refused', async () => {
    const few = ['train', '--data', 'module:test/distributed/three-images.mjs', '--batch-size', '4', '--epochs', '1'];
    await refused(runRanks(4, ['bin/srrl.js', ...few]), /has 3 training images for 4 processes: start fewer/);
  });
});
