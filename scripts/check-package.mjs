// Packs into a temporary folder, without prebuilds if there are none, and has publint and attw (Are The Types Wrong)
// look at the tarball: entry points, types under each module resolution, files that are missing.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'srrl-check-package-'));

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return;
  console.error(`${stdout}${stderr}${error?.message ?? ''}`);
  process.exitCode = 1;
}

try {
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]);
  const [tarball] = readdirSync(folder).map((name) => join(folder, name));
  const tool = (name) => join(root, 'node_modules', '.bin', name);
  if (tarball) {
    run(tool('publint'), ['run', '--strict', tarball]);
    // The package is ES modules alone, which require() loads as well (engines): see "ESM and require" in
    // docs/install.md.
    run(tool('attw'), [tarball, '--profile', 'esm-only', '--no-emoji']);
  }
} finally {
  rmSync(folder, { recursive: true });
}
