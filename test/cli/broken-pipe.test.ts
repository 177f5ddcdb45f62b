import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-pipe-'));
afterAll(() => rmSync(folder, { recursive: true }));

const common = '--data "shapes:48?test=60" --student resnet8 --epochs 5000 --out "$OUT" --json';

it.each([
  ['a run', `train ${common}`, ['']],
  ['one of several runs', `train ${common} --seeds 2`, ['seed-0']],
  [
    'runs side by side',
    `distill ${common} --teacher assets/shapes-teacher.pt --seeds 2 --together`,
    ['seed-0', 'seed-1'],
  ],
])('%s whose output nobody reads any more stops quietly, with a checkpoint', (name, command, runs) => {
  const out = join(folder, name);
  const whole = `"$NODE" bin/srrl.js ${command} | head -1; echo "$PIPESTATUS" >&2`;
  const env = { ...process.env, NODE: process.execPath, OUT: out };
  const { stdout, stderr } = spawnSync('bash', ['-c', whole], { cwd: packageRoot, encoding: 'utf8', env });
  expect(stdout).toMatch(/^\{"type":"start".*\n$/);
  expect(stderr).toBe('141\n');
  for (const run of runs) {
    const files = readdirSync(join(out, run));
    expect(files.filter((file) => file.startsWith('checkpoint-')).length).toBeGreaterThan(0);
    expect(files).not.toContain('run.lock');
  }
});
