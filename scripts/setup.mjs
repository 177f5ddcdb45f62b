// Brings a fresh clone to the point where it runs: packages, TypeScript, libtorch, native addon. Each step is skipped
// where it was done with the same inputs. Uses nothing but Node itself until the packages are there.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashOf, isStamped, stamp } from './stamp.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [major, minor] = process.versions.node.split('.').map(Number);
// The first versions that load ES modules by require() without a flag.
if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12)) {
  console.error(`Node.js 20.19, 22.12 or newer is needed; this is ${process.version}.`);
  process.exit(1);
}

function run(what, command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${what} failed${error ? `: ${error.message}` : ''}.`);
  process.exit(1);
}

/** Runs a step unless its inputs are those of the last time and its output is still there. */
function step(name, { inputs, texts = [], output, action }) {
  const hash = hashOf(root, inputs, ...texts);
  const file = join(root, 'node_modules', `.srrl-${name}`);
  if (isStamped(file, hash) && existsSync(join(root, output))) return;
  action();
  stamp(file, hash);
}

step('packages', {
  inputs: ['package-lock.json'],
  texts: [process.version],
  output: 'node_modules/typescript',
  action() {
    console.log('packages: npm ci');
    // No package's script is needed at installation, so none runs.
    run('npm ci', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  },
});
step('typescript', {
  inputs: ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
  output: 'dist/cli/main.js',
  action() {
    console.log('TypeScript: compiling');
    run('The TypeScript compiler', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
  },
});
if (!process.env.LIBTORCH)
  run('Installing libtorch', process.execPath, ['bin/srrl.js', 'install-libtorch', '--if-missing']);
run('The native build', process.execPath, ['scripts/build-native.mjs']);
