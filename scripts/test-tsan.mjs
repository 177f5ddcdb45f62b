// Native code that threads share, under ThreadSanitizer: npm run test:tsan. Compiles the sources below with
// scripts/tsan/threads.cc into a program of its own, and runs it. Needs g++ with libtsan, dist/ and libtorch.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { compile, linkToTorch, root, run, turboJpeg } from './native-sources.mjs';

const sources = [
  ...[
    'scripts/tsan/threads.cc',
    'scripts/tsan/teams.cc',
    'native/environment.cc',
    'native/messages.cc',
    'native/plain.cc',
  ],
  ...['by_device', 'gloo', 'group', 'heartbeat', 'moments', 'nccl', 'reducer', 'store'].map(
    (name) => `native/distributed/${name}.cc`,
  ),
  ...['engine', 'norm_relu', 'norm_autograd'].map((name) => `native/kernels/${name}.cc`),
  ...['conv3x3', 'jpeg', 'lanes', 'norm_relu', 'views'].map((name) => `native/ops/${name}.cc`),
  ...['winograd', 'norm'].flatMap((name) => [`native/${name}/avx2.cc`, `native/${name}/avx512.cc`]),
];
const out = join(root, 'build-tsan');
const compiler = process.env.CXX ?? 'g++';
const sanitize = ['-fsanitize=thread', '-fopenmp', '-Wno-tsan'];
mkdirSync(out, { recursive: true });

/** Those that the headers of libtorch, read once, are of no use to. */
const isApart = (source) => /gloo|teams|winograd\/|native\/norm\//.test(source);
const header = join(out, 'pch.h');
if (!existsSync(`${header}.gch`)) {
  await compile(compiler, 'native/pch.h', `${header}.gch`, [...sanitize, '-x', 'c++-header']);
}
const objects = [];
let isNew = false;
for (const source of sources) {
  const object = join(out, `${source.replaceAll('/', '-')}.o`);
  objects.push(object);
  if (existsSync(object) && statSync(object).mtimeMs > statSync(join(root, source)).mtimeMs) continue;
  console.log(`compiling ${source}`);
  await compile(compiler, source, object, isApart(source) ? sanitize : [...sanitize, '-include', header]);
  isNew = true;
}
const program = join(out, 'threads');
// The sources mention functions of Node-API, of which the program calls one: the others end it.
const symbolsOf = (kind) => {
  const { stdout } = spawnSync('nm', ['--just-symbols', kind, ...objects], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return new Set(stdout.match(/^(node_api|napi)_\w+$/gm));
};
const there = symbolsOf('--defined-only');
const absent = [...symbolsOf('--undefined-only')].filter((name) => !there.has(name));
const rest = join(out, 'node-api.c');
writeFileSync(rest, absent.map((name) => `void ${name}(void) { __builtin_trap(); }\n`).join(''));
// Without -fopenmp, which would link libgomp: its functions are in teams.cc.
if (isNew || !existsSync(program))
  await run(compiler, ['-fsanitize=thread', ...objects, '-x', 'c', rest, '-x', 'none', ...linkToTorch, '-o', program]);

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const photo = join(out, 'photo.jpg');
const fixture = JSON.parse(readFileSync(join(root, 'test/fixtures/data/jpeg.json'), 'utf8'));
writeFileSync(photo, Buffer.from(fixture.files['4:2:0'].file, 'base64'));

// Addresses where TSan can shadow them.
const args = ['-R', program, turboJpeg(), photo, String(await freePort())];
const { status, stdout, stderr } = spawnSync('setarch', args, {
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
  env: {
    ...process.env,
    OMP_NUM_THREADS: '1',
    TORCH_CPP_LOG_LEVEL: 'ERROR',
    TSAN_OPTIONS: `suppressions=${join(root, 'scripts/tsan/suppressions.txt')}:exitcode=66:second_deadlock_stack=1`,
  },
});
process.stdout.write(stdout);
const reports = stderr.split('==================').filter((text) => /WARNING: ThreadSanitizer/.test(text));
if (status !== 0) process.stderr.write(stderr);
console.log(`${reports.length} findings`);
if (status !== 0) process.exitCode = 1;
