// Builds the native addon with cmake-js against the libtorch that is found; does nothing where it is built already.
//   npm run build:native [-- --force]     in a checkout, after npm run build:ts
//   npm run build:native -- --sanitize address,undefined     into build-sanitized/, for npm run test:asan
//   npx srrl build [--force]              in a project that has installed the package
// Needs a C++20 compiler and CMake. The only place that knows how CMake is called: binding.gyp and prebuildify come
// here as well.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { baseVersion, describeTrace, locate } from '../dist/libtorch/locate.js';
import { pinned } from '../dist/native.js';
import { hashOf, isStamped, stamp } from './stamp.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const sanitize = process.argv.includes('--sanitize') ? process.argv[process.argv.indexOf('--sanitize') + 1] : undefined;
const out = join(root, sanitize ? 'build-sanitized/build' : 'build');
// Not in build/, which cmake-js empties where the configuration has changed.
const log = join(root, sanitize ? 'build-sanitized.log' : 'build-native.log');

function fail(message) {
  console.error(message);
  process.exit(1);
}

// Without LIBTORCH the pinned version; with it, any version that the sources compile against.
const compiles = (version) => pinned.compiles.some((minor) => baseVersion(version).startsWith(`${minor}.`));
const fits = (version) => (process.env.LIBTORCH ? compiles(version) : baseVersion(version) === pinned.version);
const { libtorch, trace } = locate(fits);
if (!libtorch) {
  fail(`No libtorch to build against (${process.env.LIBTORCH ? pinned.compiles.join(' or ') : pinned.version} is needed):
${describeTrace(trace)
  .map((line) => `  ${line}`)
  .join('\n')}
Run \`npx srrl install-libtorch\`.`);
}
if (!existsSync(join(libtorch.folder, 'include', 'ATen', 'ATen.h'))) {
  fail(
    `${libtorch.folder} has no headers (include/ATen/ATen.h). Run \`npx srrl install-libtorch\`, which installs them.`,
  );
}
const version = baseVersion(libtorch.version);
const hash = hashOf(
  root,
  ['native', 'test/native', 'CMakeLists.txt'],
  libtorch.folder,
  libtorch.version,
  ...(sanitize ? [sanitize] : []),
);
const stampFile = join(out, `stamp-${version}`);
const outputs = ['srrl.node', `srrl-torch-${version}.so`].map((file) => join(out, 'Release', file));
if (!process.argv.includes('--force') && isStamped(stampFile, hash) && outputs.every(existsSync)) {
  console.log(`native addon: up to date (libtorch ${libtorch.version})`);
  process.exit(0);
}

const answers = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
if (!answers('cmake')) fail('CMake is missing. Install it (Debian: apt-get install cmake) and run this again.');
if (![process.env.CXX, 'c++', 'g++', 'clang++'].some((compiler) => compiler && answers(compiler))) {
  fail('A C++20 compiler is missing. Install one (Debian: apt-get install g++) and run this again.');
}

try {
  accessSync(root, constants.W_OK);
} catch {
  fail(`${root} is where the addon is built, and this user may not write there. Run this as the owner of that folder.`);
}

console.log(`native addon: building against libtorch ${libtorch.version} in ${libtorch.folder} (some minutes)`);
const descriptor = openSync(log, 'w');
// In an installed package, next to it or above.
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const args = ['--directory', root, '--out', out, `--CDLIBTORCH=${libtorch.folder}`, `--CDLIBTORCH_VERSION=${version}`];
if (sanitize) args.push(`--CDSANITIZE=${sanitize}`);

/** One command of cmake-js, with its output in the log and the compiler's steps on the terminal. */
function run(command, ...more) {
  const child = spawn(process.execPath, [cmakeJs, command, ...args, ...more], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      writeSync(descriptor, chunk);
      for (const [step] of chunk.toString().matchAll(/^\[\d+\/\d+\] .*/gm)) {
        const [, count, file] = step.match(/^\[([1-9]\d*\/\d+)\].*?([^/ ]+)$/) ?? [];
        if (count) console.log(`  ${count} ${file.replace(/\.o$/, '')}`);
      }
    });
  }
  return new Promise((resolve) => child.on('close', resolve));
}

// Not `compile`, which after a failure throws the build away and does all of it again.
const failed = (await run('configure')) || (await run('build', '--parallel', String(cpus().length)));
closeSync(descriptor);
if (failed) {
  const lines = readFileSync(log, 'utf8').split('\n');
  const first = Math.max(
    0,
    lines.findIndex((line) => /\berror:|FAILED/.test(line)),
  );
  fail(`The native build failed; the whole log is in ${log}:\n${lines.slice(first, first + 15).join('\n')}`);
}
stamp(stampFile, hash);
console.log('native addon: built');
