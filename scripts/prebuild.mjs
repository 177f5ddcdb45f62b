#!/usr/bin/env node
// Makes prebuilds/<platform>-<arch>/: the loader srrl.node and an addon file for each libtorch version that was built.
// prebuildify drives the build through this same file in node-gyp's place: it knows node-gyp's command line, we CMake's.
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (file, args) =>
  spawnSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;

if (process.argv[2] === 'rebuild') process.exit(run('scripts/build-native.mjs', []));

const status = run('node_modules/prebuildify/bin.js', [
  '--napi',
  '--name',
  'srrl',
  '--node-gyp',
  fileURLToPath(import.meta.url),
]);
if (status !== 0) process.exit(status);
// prebuildify moves the loader away; the build folder needs it as well.
const target = `${process.platform}-${process.arch}`;
copyFileSync(join(root, 'prebuilds', target, 'srrl.node'), join(root, 'build', 'Release', 'srrl.node'));
console.log(`prebuilds/${target} is made`);
