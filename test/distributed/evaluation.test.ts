/** `srrl eval` and `srrl analyze` by several processes: what one process finds, bit for bit. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRanks } from './ranks.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-evaluated-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [run, other] = [join(folder, 'run'), join(folder, 'other')];

/** What rank 0 prints; the others print nothing. */
async function printed(ranks: number, ...args: string[]): Promise<string> {
  const all = await runRanks(ranks, ['bin/srrl.js', ...args]);
  for (const { code, output } of all) expect(code, output).toBe(0);
  for (const { output } of all.slice(1)) expect(output).toBe('');
  return all[0]?.output ?? '';
}

// Six batches of 200 images, the last one smaller: of four processes, two have one batch less.
beforeAll(async () => {
  const common = ['--data', 'shapes:60?test=1100', '--student', 'resnet8', '--epochs', '1', '--batch-size', '20'];
  const distill = ['distill', ...common, '--teacher', 'assets/shapes-teacher.pt'];
  await printed(1, ...distill, '--out', run);
  await printed(1, ...distill, '--out', other, '--seed', '1');
});

describe('several processes', () => {
  it('evaluate a student as one does', async () => {
    const alone = await printed(1, 'eval', run, '--json');
    expect(JSON.parse(alone)).toMatchObject({ count: 1100 });
    expect(await printed(2, 'eval', run, '--json')).toBe(alone);
    expect(await printed(4, 'eval', run, '--json')).toBe(alone);
  });

  it('analyze a student as one does', async () => {
    const alone = await printed(1, 'analyze', run, '--json');
    const file = readFileSync(join(run, 'analysis.json'), 'utf8');
    for (const ranks of [2, 4]) {
      expect(await printed(ranks, 'analyze', run, '--json', '--out', `by-${ranks}.json`)).toBe(alone);
      expect(readFileSync(join(run, `by-${ranks}.json`), 'utf8')).toBe(file);
    }
  });

  it('say what differs where they have other students', async () => {
    // The student is the number of the process: a folder that is not the same on all machines.
    const script = 'exec node bin/srrl.js eval "$(printf "%s\\n" "$0" "$1" | sed -n "$((RANK + 1))p")"';
    const all = await runRanks(2, ['-c', script, run, other], { program: 'bash' });
    for (const { code, output } of all) {
      expect(code).not.toBe(0);
      expect(output).toMatch(/Rank 1 has another evaluation than rank 0: weights of the student is/);
    }
  });
});
