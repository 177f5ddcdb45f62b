import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-pipe-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('a run whose output nobody reads any more stops quietly, with a checkpoint', () => {
  const command = `"$NODE" bin/srrl.js train --data "shapes:48?test=60" --student resnet8 --epochs 5000 --out "$OUT" --json | head -1; echo "$PIPESTATUS" >&2`;
  const env = { ...process.env, NODE: process.execPath, OUT: join(folder, 'run') };
  const { stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: packageRoot, encoding: 'utf8', env });
  expect(stdout).toMatch(/^\{"type":"start".*\n$/);
  expect(stderr).toBe('141\n');
  const files = readdirSync(join(folder, 'run'));
  expect(files.filter((name) => name.startsWith('checkpoint-')).length).toBeGreaterThan(0);
  expect(files).not.toContain('run.lock');
}, 60_000);
