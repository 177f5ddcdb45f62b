/** What goes into the tarball, and what `npm pack` refuses. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
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
import { afterAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-contents-'));
afterAll(() => rmSync(folder, { recursive: true }));
const read = (file: string) => readFileSync(join(packageRoot, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as Record<string, never> & {
  os: string[];
  cpu: string[];
  binary: { platforms: string[] };
};

interface Packed {
  files: { path: string; size: number }[];
  size: number;
  unpackedSize: number;
}

function pack(): Packed {
  // Without scripts, so that no prebuild is needed and dist/ stays as it is.
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: packageRoot,
    encoding: 'utf8',
  });
  const parsed = JSON.parse(stdout) as Packed[] | Record<string, Packed>;
  return Object.values(parsed)[0] as Packed;
}

describe('the tarball', () => {
  const { files, size, unpackedSize } = pack();
  const paths = files.map(({ path }) => path);

  it('holds what runs, what builds and what explains, and nothing else', () => {
    const places = paths.map((path) =>
      path
        .split('/')
        .slice(0, path.startsWith('scripts/') ? 2 : 1)
        .join('/'),
    );
    expect([...new Set(places)].filter((place) => place !== 'prebuilds').sort()).toEqual([
      'CHANGELOG.md',
      'CITATION.cff',
      'CMakeLists.txt',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'assets',
      'bench',
      'bin',
      'dist',
      'docs',
      'examples',
      'libtorch.json',
      'native',
      'package.json',
      'recipes',
      'scripts/build-native.mjs',
      'scripts/stamp.mjs',
    ]);
    const needless = /\.tsbuildinfo$|(^|\/)test\/|\.test\.|\.log$|^docs\/api|^dist\/.*(?<!\.d)\.ts$/;
    expect(paths.filter((path) => needless.test(path))).toEqual([]);
  });

  it('holds every file that package.json and the build name', () => {
    const { exports, bin } = manifest as unknown as { exports: Record<string, unknown>; bin: Record<string, string> };
    const named = [...JSON.stringify([exports, bin]).matchAll(/"\.?\/?([^"]+\.(?:js|ts|json))"/g)].map(
      ([, path]) => path,
    );
    expect(named.length).toBeGreaterThan(7);
    const sources = [...read('CMakeLists.txt').matchAll(/(?<!test\/)native\/[\w/-]+\.(?:cc|h)/g)].map(([path]) => path);
    expect(sources.length).toBeGreaterThan(3);
    expect([...named, ...sources].filter((path) => !paths.includes(`${path}`))).toEqual([]);
    expect(paths).toContain('dist/train/worker.js');
  });

  it('is small', () => {
    const prebuilt = files
      .filter(({ path }) => path.startsWith('prebuilds/'))
      .reduce((sum, file) => sum + file.size, 0);
    // docs/install.md names the size of the release.
    expect(unpackedSize - prebuilt).toBeLessThan(14e6);
    expect(size).toBeLessThan(8e6);
  });
});

describe('npm pack', () => {
  const checkout = join(folder, 'checkout');
  const [target] = manifest.binary.platforms as [string];
  const { version } = JSON.parse(read('libtorch.json')) as { version: string };
  const prebuild = (to: string, stamp: string) => {
    mkdirSync(join(checkout, 'prebuilds', to), { recursive: true });
    for (const file of ['srrl.node', `srrl-torch-${version}.so`])
      writeFileSync(join(checkout, 'prebuilds', to, file), 'library');
    writeFileSync(join(checkout, 'prebuilds', to, 'stamp'), stamp);
  };
  const npmPack = () => spawnSync('npm', ['pack', '--pack-destination', folder], { cwd: checkout, encoding: 'utf8' });

  it('refuses without prebuilds of these sources, and packs with them', async () => {
    for (const name of ['package.json', 'libtorch.json', 'CMakeLists.txt', 'native', 'scripts'])
      cpSync(join(packageRoot, name), join(checkout, name), { recursive: true });
    symlinkSync(join(packageRoot, 'node_modules'), join(checkout, 'node_modules'));
    mkdirSync(join(checkout, 'src'));
    writeFileSync(join(checkout, 'src/index.ts'), 'export const answer = 42;\n');
    cpSync(join(packageRoot, 'tsconfig.json'), join(checkout, 'tsconfig.json'));
    cpSync(join(packageRoot, 'tsconfig.build.json'), join(checkout, 'tsconfig.build.json'));
    mkdirSync(join(checkout, 'dist'));
    writeFileSync(join(checkout, 'dist/gone.js'), '// of a source that is gone');

    const without = npmPack();
    expect(without.stderr).toContain(`prebuilds/${target} has no srrl.node and no srrl-torch-${version}.so`);
    expect(without.stderr).toContain('npm run prebuilds');
    expect(without.status).not.toBe(0);

    prebuild(target, 'of another commit');
    const stale = npmPack();
    expect(stale.stderr).toContain(`prebuilds/${target} was made from other native sources`);
    expect(stale.status).not.toBe(0);

    const { hashOfNative } = (await import(join(packageRoot, 'scripts/stamp.mjs'))) as {
      hashOfNative(root: string): string;
    };
    prebuild(target, hashOfNative(checkout));
    prebuild('sunos-sparc', hashOfNative(checkout));
    expect(npmPack().stderr).toContain('prebuilds/sunos-sparc is not in the list "platforms" of package.json');

    rmSync(join(checkout, 'prebuilds/sunos-sparc'), { recursive: true });
    expect(readdirSync(folder).filter((file) => file.endsWith('.tgz'))).toEqual([]);
    const complete = npmPack();
    expect([complete.status, complete.stderr]).toEqual([0, expect.stringContaining(`prebuilds/${target}/srrl.node`)]);
    expect(readdirSync(join(checkout, 'dist'))).toContain('index.js');
    expect(readdirSync(join(checkout, 'dist'))).not.toContain('gone.js');
  });
});

it('the platforms that npm installs on are those that have a prebuild', () => {
  const parts = (index: number) => [...new Set(manifest.binary.platforms.map((target) => target.split('-')[index]))];
  expect([manifest.os, manifest.cpu]).toEqual([parts(0), parts(1)]);
});

it('every script of package.json exists', () => {
  const { scripts } = manifest as unknown as { scripts: Record<string, string> };
  const files = [
    ...Object.values(scripts)
      .join('\n')
      .matchAll(/node (?:--\S+ )*(\S+)/g),
  ].map(([, file]) => `${file}`);
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((file) => !existsSync(join(packageRoot, file)))).toEqual([]);
});
