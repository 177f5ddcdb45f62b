// Makes a release out of a clean checkout: checks, version, changelog, package, commit and tag.
//   npm run release -- 0.2.0
// Publishes nothing: it ends with the commands that do. When a step fails, the files are as they were before.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const version = process.argv[2] ?? '';
const date = new Date().toISOString().slice(0, 10);
const changed = ['CHANGELOG.md', 'CITATION.cff', 'package.json', 'package-lock.json'];
const read = (file) => readFileSync(join(root, file), 'utf8');
const write = (file, text) => writeFileSync(join(root, file), text);

class Refusal extends Error {}

function output(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Refusal(`${command} ${args.join(' ')} failed: ${stderr}`);
  return stdout.trim();
}

function step(command, ...args) {
  console.log(`> ${command} ${args.join(' ')}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Refusal(`${command} ${args.join(' ')} failed.`);
}

/** The changelog with what is unreleased under the new version, and an empty section for what comes next. */
function withRelease(changelog) {
  const [before, after] = changelog.split('## Unreleased\n');
  const notes = (after ?? '').split('\n## ')[0];
  if (!notes?.trim())
    throw new Refusal('CHANGELOG.md has nothing under "## Unreleased". Write what has changed there.');
  return `${before}## Unreleased\n\n## ${version} (${date})\n${after}`;
}

function refuseUnlessReady() {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw new Refusal(`'${version}' is not a version. Example: npm run release -- 0.2.0`);
  const { version: current } = JSON.parse(read('package.json'));
  if (version.localeCompare(current, 'en', { numeric: true }) < 0)
    throw new Refusal(`${version} is older than ${current}, the version in package.json.`);
  if (output('git', 'status', '--porcelain'))
    throw new Refusal('The checkout has changes. Commit or remove them first.');
  if (output('git', 'tag', '--list', `v${version}`)) throw new Refusal(`The tag v${version} exists.`);
  withRelease(read('CHANGELOG.md'));
}

function release() {
  // The quick refusal first: what has no prebuilds cannot be packed.
  step(process.execPath, 'scripts/prepack.mjs');
  write('CHANGELOG.md', withRelease(read('CHANGELOG.md')));
  write(
    'CITATION.cff',
    read('CITATION.cff').replace(/^version: .*(\ndate-released: .*)?$/m, `version: ${version}\ndate-released: ${date}`),
  );
  step('npm', 'version', version, '--no-git-tag-version', '--allow-same-version', '--ignore-scripts');
  step('npm', 'run', 'check');
  step('npm', 'test');
  step('npm', 'pack');
  step('git', 'commit', '--quiet', '--message', `Release ${version}`, ...changed);
  step('git', 'tag', '--annotate', `v${version}`, '--message', `Release ${version}`);
}

let begun = false;
try {
  refuseUnlessReady();
  begun = true;
  release();
  console.log(`Version ${version} is packed, committed and tagged. Publish it with:
  git push --follow-tags
  npm publish srrl-${version}.tgz`);
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  if (begun) output('git', 'checkout', 'HEAD', '--', ...changed);
  console.error(error.message);
  process.exitCode = 1;
}
