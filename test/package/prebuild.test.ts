import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLibtorch } from '../../src/native.js';
import { node, packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-prebuild-'));
const checkout = join(folder, 'checkout');
const app = join(folder, 'app');
const installed = join(app, 'node_modules', 'srrl');
const target = `${process.platform}-${process.arch}`;
afterAll(() => rmSync(folder, { recursive: true }));

/** The same files in another place: hard links where the file system allows. */
function copyLibraries(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from)) {
    if (!/\.(so|dylib)/.test(file)) continue;
    try {
      linkSync(join(from, file), join(to, file));
    } catch {
      cpSync(join(from, file), join(to, file));
    }
  }
}

describe('a package made by `npm run prebuilds`', () => {
  const { libtorch } = findLibtorch();
  const elsewhere = join(folder, 'libtorch elsewhere');

  beforeAll(() => {
    // A second checkout with the build of this one, so that nothing is compiled and nothing here is touched.
    for (const name of [
      'package.json',
      'libtorch.json',
      'CMakeLists.txt',
      'native',
      'test/native',
      'scripts',
      'bin',
      'dist',
      'build',
      'src',
      'tsconfig.json',
      'tsconfig.build.json',
    ]) {
      cpSync(join(packageRoot, name), join(checkout, name), { recursive: true });
    }
    symlinkSync(join(packageRoot, 'node_modules'), join(checkout, 'node_modules'));
    const { status, stdout, stderr } = spawnSync('npm', ['run', 'prebuilds'], { cwd: checkout, encoding: 'utf8' });
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining(`prebuilds/${target} is made`)]);
    expect(stdout).toContain('up to date');

    const packed = spawnSync('npm', ['pack', '--pack-destination', folder], { cwd: checkout, encoding: 'utf8' });
    expect(packed.status).toBe(0);
    mkdirSync(installed, { recursive: true });
    const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz')) as string;
    expect(spawnSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']).status).toBe(0);
    for (const dependency of readdirSync(join(packageRoot, 'node_modules'))) {
      if (!dependency.startsWith('.'))
        symlinkSync(join(packageRoot, 'node_modules', dependency), join(app, 'node_modules', dependency));
    }
    copyLibraries(join(libtorch.folder, 'lib'), join(elsewhere, 'lib'));
    writeFileSync(join(elsewhere, 'build-version'), libtorch.version);
  }, 120_000);

  it('carries the loader and the addon, and no sign of where libtorch was', () => {
    const files = readdirSync(join(installed, 'prebuilds', target)).sort();
    expect(files).toEqual([`srrl-torch-${libtorch.version.split('+')[0]}.so`, 'srrl.node', 'stamp']);
    for (const file of files)
      expect(readFileSync(join(installed, 'prebuilds', target, file)).includes(libtorch.folder)).toBe(false);
    expect(existsSync(join(installed, 'build'))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('asks for no newer glibc and libstdc++ than libtorch does', async () => {
    type Versions = Record<string, string>;
    const { neededVersions } = (await import(join(packageRoot, 'scripts/symbol-versions.mjs'))) as {
      neededVersions(file: string): Versions;
    };
    const ofLibtorch = neededVersions(join(libtorch.folder, 'lib/libtorch_cpu.so'));
    expect(ofLibtorch.GLIBC).toMatch(/^2\.\d+/);
    const files = ['srrl.node', `srrl-torch-${libtorch.version.split('+')[0]}.so`];
    for (const needed of files.map((file) => neededVersions(join(installed, 'prebuilds', target, file)))) {
      expect(needed.GLIBC).toMatch(/^2\.\d+/);
      for (const [kind, limit] of Object.entries(ofLibtorch)) {
        const order = (needed[kind] ?? '0').localeCompare(limit, 'en', { numeric: true });
        expect([kind, needed[kind], order <= 0]).toEqual([kind, needed[kind], true]);
      }
    }
  });

  it('runs without a compiler, with libtorch in another folder than at build time', () => {
    const program = `
      import torch from 'srrl/torch';
      import { models } from 'srrl';
      const model = models.create('resnet8', { numClasses: 5 });
      model.forward(torch.randn([2, 3, 16, 16])).sum().backward();
      console.log(torch.version, model.numParameters());
    `;
    writeFileSync(join(app, 'program.mjs'), program);
    const { status, stdout, stderr } = node(join(app, 'program.mjs'), [], {
      cwd: app,
      env: { PATH: '', LIBTORCH: elsewhere, SRRL_CACHE: join(folder, 'no cache') },
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^2\.\d+\.\d+ 77717\n$/);
  });
});

describe('a build without its tools', () => {
  const bare = join(folder, 'bare');

  it('says which tool is missing', () => {
    mkdirSync(bare, { recursive: true });
    const build = (env: NodeJS.ProcessEnv) =>
      node('scripts/build-native.mjs', ['--force'], { env: { CXX: '', ...env } });
    const { libtorch } = findLibtorch();
    const without = build({ PATH: bare, LIBTORCH: libtorch.folder });
    expect([without.status, without.stderr]).toEqual([1, expect.stringContaining('CMake is missing')]);
    const [cmake] = spawnSync('sh', ['-c', 'command -v cmake'], { encoding: 'utf8' }).stdout.split('\n');
    symlinkSync(cmake as string, join(bare, 'cmake'));
    const compilerless = build({ PATH: bare, LIBTORCH: libtorch.folder });
    expect([compilerless.status, compilerless.stderr]).toEqual([
      1,
      expect.stringContaining('C++20 compiler is missing'),
    ]);
    const nothing = build({ PATH: bare, LIBTORCH: bare });
    expect([nothing.status, nothing.stderr]).toEqual([1, expect.stringContaining('No libtorch to build against')]);
  });
});
