// Compiles single sources of native/ outside of the addon, for scripts/fuzz-native.mjs and scripts/test-tsan.mjs.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locate } from '../dist/libtorch/locate.js';

export const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

export function fail(message) {
  console.error(message);
  process.exit(2);
}

const { libtorch } = locate(() => true);
if (!libtorch) fail('There is no libtorch. Run `npx srrl install-libtorch`.');

const headers = [
  join(libtorch.folder, 'include'),
  join(libtorch.folder, 'include', 'torch', 'csrc', 'api', 'include'),
  dirname(require.resolve('node-addon-api')),
  require('node-api-headers').include_dir,
];

const flags = [
  ...['-std=c++20', '-O1', '-g', '-DNAPI_VERSION=9', '-DNODE_ADDON_API_CPP_EXCEPTIONS', '-I', 'native'],
  ...headers.flatMap((path) => ['-isystem', path]),
];
/** As CMakeLists.txt has them. */
const flagsOf = {
  'avx2.cc': ['-mavx2', '-mfma'],
  'avx512.cc': ['-mavx512f', '-mavx512vl', '-mfma', '-mprefer-vector-width=512'],
  'gloo.cc': ['-DSRRL_GLOO', '-I', 'native/distributed/gloo-names'],
};

const library = join(libtorch.folder, 'lib');
export const linkToTorch = [`-L${library}`, `-Wl,-rpath,${library}`, '-ltorch_cpu', '-lc10', '-ldl', '-lpthread'];

/** Runs a compiler; ends this program with its messages where it fails. */
export function run(compiler, args) {
  const child = spawn(compiler, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`${compiler} cannot be run: ${error.message}`));
    child.on('close', (code) => {
      if (code !== 0) fail(`${compiler} failed:\n${text.split('\n').slice(0, 30).join('\n')}`);
      resolve();
    });
  });
}

/** Compiles a source of the repository into `object`. */
export function compile(compiler, source, object, more) {
  return run(compiler, [...flags, ...(flagsOf[source.split('/').pop()] ?? []), ...more, '-c', source, '-o', object]);
}

/** libjpeg-turbo, as its package brings it. */
export function turboJpeg() {
  const prebuilds = join(dirname(require.resolve('@julusian/jpeg-turbo/package.json')), 'prebuilds');
  return join(prebuilds, `jpeg-turbo-${process.platform}-${process.arch}`, 'libturbojpeg.so.0');
}
