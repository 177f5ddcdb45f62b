/** scripts/release.mjs in a repository of its own, whose checks do nothing. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

const checkout = mkdtempSync(join(tmpdir(), 'srrl-release-'));
afterAll(() => rmSync(checkout, { recursive: true }));

const git = (...args: string[]) => {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];
  const { status, stdout, stderr } = spawnSync('git', [...identity, ...args], { cwd: checkout, encoding: 'utf8' });
  expect([status, stderr.replace(/^(warning|hint).*\n/gm, '')]).toEqual([0, expect.anything()]);
  return stdout.trim();
};
const read = (file: string) => readFileSync(join(checkout, file), 'utf8');
const write = (file: string, text: string) => writeFileSync(join(checkout, file), text);
const release = (...args: string[]) =>
  node(join(checkout, 'scripts/release.mjs'), args, {
    cwd: checkout,
    env: {
      GIT_AUTHOR_NAME: 'Test',
      GIT_AUTHOR_EMAIL: 'test@example.com',
      GIT_COMMITTER_NAME: 'Test',
      GIT_COMMITTER_EMAIL: 'test@example.com',
    },
  });
const manifest = (test: string) =>
  JSON.stringify({ name: 'srrl', version: '0.1.0', files: ['prebuilds'], scripts: { check: 'exit 0', test } });

beforeAll(() => {
  mkdirSync(join(checkout, 'scripts'));
  cpSync(join(packageRoot, 'scripts/release.mjs'), join(checkout, 'scripts/release.mjs'));
  write('scripts/prepack.mjs', '// everything is there');
  write('package.json', manifest('exit 0'));
  write('package-lock.json', JSON.stringify({ name: 'srrl', version: '0.1.0', lockfileVersion: 3, packages: {} }));
  write('CITATION.cff', 'title: srrl\nversion: 0.1.0\nlicense: MIT\n');
  write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n- A new thing.\n\n## 0.1.0 (2026-01-01)\n\n- The first.\n');
  write('.gitignore', '*.tgz\n');
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '--message', 'Begin');
});

it('refuses what is not ready', () => {
  const refusals: [string[], RegExp][] = [
    [[], /'' is not a version/],
    [['next'], /'next' is not a version/],
    [['0.0.9'], /0\.0\.9 is older than 0\.1\.0/],
  ];
  for (const [args, message] of refusals)
    expect(release(...args)).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
  write('untracked', '');
  expect(release('0.2.0').stderr).toMatch(/The checkout has changes/);
  rmSync(join(checkout, 'untracked'));
});

it('leaves the files as they were when the tests fail', () => {
  write('package.json', manifest('exit 3'));
  git('commit', '--quiet', '--all', '--message', 'Break the tests');
  const { status, stderr } = release('0.2.0');
  expect([status, stderr]).toEqual([1, expect.stringContaining('npm test failed')]);
  expect([git('status', '--porcelain'), git('tag'), JSON.parse(read('package.json')).version]).toEqual([
    '',
    '',
    '0.1.0',
  ]);
  write('package.json', manifest('exit 0'));
  git('commit', '--quiet', '--all', '--message', 'Repair the tests');
});

it('writes version and changelog, packs, commits and tags', () => {
  const { status, stdout } = release('0.2.0');
  expect([status, stdout]).toEqual([0, expect.stringContaining('npm publish srrl-0.2.0.tgz')]);
  expect(read('CHANGELOG.md')).toMatch(
    /## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n- A new thing\.\n\n## 0\.1\.0 \(2026-01-01\)/,
  );
  expect(read('CITATION.cff')).toMatch(
    /^title: srrl\nversion: 0\.2\.0\ndate-released: \d{4}-\d\d-\d\d\nlicense: MIT\n$/,
  );
  expect([JSON.parse(read('package.json')).version, JSON.parse(read('package-lock.json')).version]).toEqual([
    '0.2.0',
    '0.2.0',
  ]);
  expect([git('status', '--porcelain'), git('tag'), git('log', '-1', '--format=%s')]).toEqual([
    '',
    'v0.2.0',
    'Release 0.2.0',
  ]);
  expect(readdirSync(checkout)).toContain('srrl-0.2.0.tgz');
  expect(release('0.2.0').stderr).toMatch(/The tag v0\.2\.0 exists/);
  expect(release('0.3.0').stderr).toMatch(/CHANGELOG\.md has nothing under "## Unreleased"/);
});
