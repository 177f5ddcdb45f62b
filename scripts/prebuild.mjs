#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/: the loader srrl.node, an addon file for each libtorch version that was built, and
// a stamp of the sources, by which scripts/prepack.mjs knows prebuilds of another commit.
// prebuildify drives the build through this same file in node-gyp's place: it knows node-gyp's command line, we
// CMake's.
import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashOfNative, stamp } from './stamp.mjs';
import { tooNew } from './symbol-versions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (file, args) =>
  spawnSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;

if (process.argv[2] === 'rebuild') process.exit(run('scripts/build-native.mjs', []));

const target = `${process.platform}-${process.arch}`;
const folder = join(root, 'prebuilds', target);
rmSync(folder, { recursive: true, force: true });
const status = run('node_modules/prebuildify/bin.js', [
  '--napi',
  '--name',
  'srrl',
  '--node-gyp',
  fileURLToPath(import.meta.url),
]);
if (status !== 0) process.exit(status);
// prebuildify moves the loader away; the build folder needs it as well.
copyFileSync(join(folder, 'srrl.node'), join(root, 'build', 'Release', 'srrl.node'));
const problems = process.platform === 'linux' ? tooNew(folder) : [];
if (problems.length > 0) {
  console.error(`This prebuild would not load on the oldest systems that libtorch supports:\n${problems.join('\n')}`);
  process.exit(1);
}
stamp(join(folder, 'stamp'), hashOfNative(root));
console.log(`prebuilds/${target} is made`);
